"""SimpleITK's series reader (GDCM beneath it)."""

from __future__ import annotations

from typing import Any

import numpy as np

from .child import Clock, Job, Loader, Source, child

_images: list[Any] = []  # their arrays are views


def prepare(job: Job) -> None:
    import SimpleITK  # noqa: F401


def load(source: Source, clock: Clock, options: dict[str, Any]) -> np.ndarray:
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(source.cores)
    if len(source.files) == 1:
        image = SimpleITK.ReadImage(source.files[0])
    else:
        reader = SimpleITK.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(source.folder))
        image = reader.Execute()
    _images.append(image)
    return SimpleITK.GetArrayViewFromImage(image)


LOADERS = (Loader("SimpleITK", __name__, needs=("SimpleITK",)),)

if __name__ == "__main__":
    child(load, prepare)
