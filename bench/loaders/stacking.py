"""What a program has to do around a decoder to get a volume: sort slices, choose a type, rescale into place.

For the loaders that give frames and leave that to their user. It is written as a careful user would: the array is
allocated once, each frame is rescaled into its place, CT stays int16.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np


class Header(NamedTuple):
    """Of one frame."""

    position: tuple[float, ...]
    orientation: tuple[float, ...]
    time: int
    slope: float
    intercept: float
    rows: int
    columns: int


class Layout:
    """Where each frame goes in an array that is still empty, and how its values are changed on the way."""

    def __init__(self, headers: Sequence[Header]) -> None:
        self.headers = headers
        first = headers[0]
        normal = np.cross(first.orientation[:3], first.orientation[3:])
        heights = [round(float(np.dot(normal, header.position)), 4) for header in headers]
        times = sorted({header.time for header in headers})
        levels = sorted(set(heights))
        #: A label that differs between the slices of one stack tells no times apart.
        if len(times) * len(levels) != len(headers):
            times = [0]
        shape = [len(levels), first.rows, first.columns]
        self.places: list[tuple[int, ...]] = [(levels.index(height),) for height in heights]
        if len(times) > 1:
            shape.insert(0, len(times))
            self.places = [(times.index(h.time), *place) for h, place in zip(headers, self.places, strict=True)]
        whole = all(header.slope == 1 and header.intercept == int(header.intercept) for header in headers)
        # int16 also where the headers would allow more: Hounsfield units fit, and that is what users write.
        self.array = np.empty(shape, np.int16 if whole else np.float32)

    def place(self, index: int, frame: np.ndarray) -> None:
        header, target = self.headers[index], self.array[self.places[index]]
        if target.dtype.kind == "f":
            np.multiply(frame, np.float32(header.slope), out=target, casting="unsafe")
            if header.intercept:
                target += np.float32(header.intercept)
        elif frame.itemsize == 2:  # modulo 2^16, so without a wider type on the way
            np.add(frame.view(np.int16), np.int16(header.intercept), out=target)
        else:
            np.add(frame, np.int16(header.intercept), out=target, casting="unsafe")


def headers_of(dataset: Any) -> list[Header]:
    """One for each frame of a pydicom dataset, classic or enhanced."""
    frames = getattr(dataset, "PerFrameFunctionalGroupsSequence", None)
    if frames is None:
        return [_header(dataset, dataset, dataset, dataset)]
    shared = dataset.SharedFunctionalGroupsSequence[0]
    plane = shared.PlaneOrientationSequence[0]
    values = shared.PixelValueTransformationSequence[0]
    return [_header(dataset, frame.PlanePositionSequence[0], plane, values) for frame in frames]


def _header(image: Any, place: Any, plane: Any, values: Any) -> Header:
    return Header(
        tuple(map(float, place.ImagePositionPatient)),
        tuple(map(float, plane.ImageOrientationPatient)),
        int(image.get("TemporalPositionIdentifier") or 0),
        float(values.get("RescaleSlope", 1)),
        float(values.get("RescaleIntercept", 0)),
        int(image.Rows),
        int(image.Columns),
    )


def flat(groups: Iterable[Sequence[Header]]) -> list[Header]:
    return [header for group in groups for header in group]
