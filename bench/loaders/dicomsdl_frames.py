"""dicomsdl, one file after the other; it knows no volumes, so sorting and placing are its user's."""

from __future__ import annotations

from typing import Any

import numpy as np

from .child import Clock, Job, Loader, Source, child
from .stacking import Header, Layout


def prepare(job: Job) -> None:
    import dicomsdl  # noqa: F401


def load(source: Source, clock: Clock, options: dict[str, Any]) -> np.ndarray:
    import dicomsdl

    datasets = [dicomsdl.open(path) for path in source.files]
    frames = [(dataset, n) for dataset in datasets for n in range(int(dataset.NumberOfFrames or 1))]
    layout = Layout([_header(*frame) for frame in frames])
    clock.mark("headers")
    for index, (dataset, number) in enumerate(frames):
        layout.place(index, dataset.pixelData(number, storedvalue=True))
        clock.slice(index + 1, len(frames))
    return layout.array


def _header(dataset: Any, number: int) -> Header:
    place = plane = values = dataset
    if dataset.ImagePositionPatient is None:
        shared = dataset.SharedFunctionalGroupsSequence[0]
        place = dataset.PerFrameFunctionalGroupsSequence[number].PlanePositionSequence[0]
        plane, values = shared.PlaneOrientationSequence[0], shared.PixelValueTransformationSequence[0]
    return Header(
        tuple(map(float, place.ImagePositionPatient)),
        tuple(map(float, plane.ImageOrientationPatient)),
        int(dataset.TemporalPositionIdentifier or 0),
        float(values.RescaleSlope if values.RescaleSlope is not None else 1),
        float(values.RescaleIntercept or 0),
        int(dataset.Rows),
        int(dataset.Columns),
    )


LOADERS = (Loader("dicomsdl", __name__, needs=("dicomsdl",)),)

if __name__ == "__main__":
    child(load, prepare)
