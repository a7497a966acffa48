"""Nuclear medicine: vectors tell of each frame which window, detector, phase and slice it is. PS3.3 C.8.4.8 to 15."""

from __future__ import annotations

from volstream.headers.place import along_normal
from volstream.headers.values import Attributes, items, number, vector

VECTORS = (
    "EnergyWindowVector",
    "DetectorVector",
    "PhaseVector",
    "RotationVector",
    "RRIntervalVector",
    "TimeSlotVector",
    "SliceVector",
    "AngularViewVector",
    "TimeSliceVector",
)


def from_vectors(attributes: Attributes, count: int) -> list[Attributes]:
    """Each frame has its own value of every vector, and its place where the instance is a reconstruction."""
    vectors = {name: found for name in VECTORS if (found := vector(attributes, name, count))}
    common = {keyword: value for keyword, value in attributes.items() if keyword not in VECTORS}
    detectors = items(attributes, "DetectorInformationSequence")
    spacing = number(attributes, "SpacingBetweenSlices")
    frames = []
    for frame in range(count):
        own = common | {name: int(values[frame]) for name, values in vectors.items()}
        index = own.get("DetectorVector", 1) - 1
        detector = detectors[index] if 0 <= index < len(detectors) else {}
        frames.append(own | _place(detector | common, own, spacing))
    return frames


def _place(source: Attributes, own: Attributes, spacing: float | None) -> Attributes:
    """Position and orientation. The detector's are those of the first slice; the sign of Spacing Between Slices says
    to which side of it the others lie (PS3.3 C.8.4.15). Projections of a rotating detector have no place."""
    position = vector(source, "ImagePositionPatient", 3)
    orientation = vector(source, "ImageOrientationPatient", 6)
    if orientation is None or "RotationVector" in own:
        return {}
    number_of_slice = own.get("SliceVector", 1)
    if position is not None and number_of_slice != 1:
        position = None if spacing is None else along_normal(position, orientation, (number_of_slice - 1) * spacing)
    place: Attributes = {"ImageOrientationPatient": orientation}
    # An explicit None: the position of the first slice, if it stands in the instance itself, is not this frame's.
    return place | {"ImagePositionPatient": position}
