"""RT Dose: one offset a frame. PS3.3 C.8.8.3.2."""

from __future__ import annotations

from volstream.errors import DamagedError
from volstream.headers.place import along_normal
from volstream.headers.values import Attributes, vector


def from_offsets(attributes: Attributes, count: int) -> list[Attributes]:
    """Frames placed by the Grid Frame Offset Vector, in either of its forms."""
    offsets = vector(attributes, "GridFrameOffsetVector", count)
    position = vector(attributes, "ImagePositionPatient", 3)
    orientation = vector(attributes, "ImageOrientationPatient", 6)
    if offsets is None or position is None or orientation is None:
        return [attributes] * count
    if offsets[0] == 0:  # form a: along the normal, from the first plane on
        places = [along_normal(position, orientation, offset) for offset in offsets]
    elif abs(offsets[0] - position[2]) < 1e-3:  # form b: patient z, transverse planes only
        if any(abs(value) > 1e-3 for value in (orientation[2], orientation[5])):
            raise DamagedError("GridFrameOffsetVector gives z coordinates of planes that are not transverse")
        places = [(position[0], position[1], offset) for offset in offsets]
    else:
        raise DamagedError(f"GridFrameOffsetVector begins with {offsets[0]}, neither 0 nor z of the position")
    return [attributes | {"ImagePositionPatient": place} for place in places]
