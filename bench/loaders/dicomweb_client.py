"""dicomweb-client for the transfer, pydicom for the rest: the series as one answer, or instances in threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from .child import Clock, Job, Loader, Source, child
from .pydicom_numpy import prepare as prepare_pydicom
from .pydicom_numpy import stack

#: As it is stored: nothing is transcoded for it.
_STORED = (("application/dicom", "*"),)
_THREADS = 8


def prepare(job: Job) -> None:
    import dicomweb_client.api  # noqa: F401

    prepare_pydicom(job)


def load(source: Source, clock: Clock, options: dict[str, Any]) -> np.ndarray:
    from dicomweb_client.api import DICOMwebClient

    root, study, series = source.parts
    client = DICOMwebClient(root)
    if not options.get("threads"):
        return stack(client.retrieve_series(study, series, media_types=_STORED), clock)
    instances = [entry["00080018"]["Value"][0] for entry in client.retrieve_series_metadata(study, series)]
    with ThreadPoolExecutor(_THREADS) as threads:
        datasets = list(
            threads.map(lambda uid: client.retrieve_instance(study, series, uid, media_types=_STORED), instances)
        )
        return stack(datasets, clock, threads.map)


_NEEDS = ("dicomweb_client", "pydicom")
LOADERS = (
    Loader("dicomweb-client + pydicom", __name__, ("url",), _NEEDS, packages=("dicomweb-client",)),
    Loader(
        "dicomweb-client + pydicom, threads",
        __name__,
        ("url",),
        _NEEDS,
        options={"threads": True},
        packages=("dicomweb-client",),
    ),
)

if __name__ == "__main__":
    child(load, prepare)
