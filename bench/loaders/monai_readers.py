"""MONAI's readers of DICOM series: the one on ITK, and the one on pydicom. They are looked for, and not in the `bench`
extra: MONAI brings PyTorch along."""

from __future__ import annotations

from typing import Any

import numpy as np

from .child import Clock, Job, Loader, Source, child


def prepare(job: Job) -> None:
    import monai.data  # noqa: F401

    if job["options"]["reader"] == "ITKReader":
        import itk

        itk.ImageSeriesReader, itk.GDCMImageIO, itk.GDCMSeriesFileNames  # noqa: B018 - loads them
    else:
        from .pydicom_numpy import prepare as prepare_pydicom

        prepare_pydicom(job)


def load(source: Source, clock: Clock, options: dict[str, Any]) -> np.ndarray:
    import monai.data

    reader = getattr(monai.data, options["reader"])()
    array, facts = reader.get_data(reader.read(source.folder))
    array = array.T  # (i, j, k) there
    # The one on pydicom sorts by instance number, whichever way that goes.
    ascending = np.linalg.det(np.asarray(facts["affine"])[:3, :3]) > 0
    return np.ascontiguousarray(array if ascending else array[::-1])


LOADERS = (
    Loader("MONAI, ITKReader", __name__, needs=("monai", "itk"), options={"reader": "ITKReader"}),
    Loader("MONAI, PydicomReader", __name__, needs=("monai", "pydicom"), options={"reader": "PydicomReader"}),
)

if __name__ == "__main__":
    child(load, prepare)
