"""highdicom's volumes. It refuses int16 for Hounsfield units, hence float32."""

from __future__ import annotations

from typing import Any

import numpy as np

from .child import Clock, Job, Loader, Source, child
from .pydicom_numpy import prepare as prepare_pydicom


def prepare(job: Job) -> None:
    import highdicom  # noqa: F401

    prepare_pydicom(job)


def load(source: Source, clock: Clock, options: dict[str, Any]) -> np.ndarray:
    import highdicom
    import pydicom

    files = source.files
    if len(files) == 1:
        volume = highdicom.imread(files[0]).get_volume(dtype=np.float32)
    else:
        volume = highdicom.get_volume_from_series([pydicom.dcmread(path) for path in files], dtype=np.float32)
    along_slices, along_rows, along_columns = volume.affine[:3, :3].T
    # Its slices go the other way; to have them in order takes a copy.
    ascending = np.dot(np.cross(along_columns, along_rows), along_slices) > 0
    return volume.array if ascending else np.ascontiguousarray(volume.array[::-1])


LOADERS = (Loader("highdicom", __name__, needs=("highdicom",)),)

if __name__ == "__main__":
    child(load, prepare)
