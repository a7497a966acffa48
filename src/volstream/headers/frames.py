"""The attributes of each frame of an instance, as if every frame were an instance of its own."""

from __future__ import annotations

from volstream.errors import DamagedError, ResourceError
from volstream.headers.dose import from_offsets
from volstream.headers.functional_groups import from_groups
from volstream.headers.nuclear import VECTORS, from_vectors
from volstream.headers.values import Attributes, integer

MOST_FRAMES = 65_536


def frame_count(attributes: Attributes) -> int:
    """Number of Frames; 1 where it is absent or, as some writers have it, 0."""
    count = integer(attributes, "NumberOfFrames") or 1
    if count < 0:
        raise DamagedError(f"NumberOfFrames is {count}")
    if count > MOST_FRAMES:
        raise ResourceError(f"NumberOfFrames is {count}, more than {MOST_FRAMES}")
    return count


def frame_attributes(attributes: Attributes, count: int) -> list[Attributes]:
    """One for each frame: its own attributes win over those of the whole instance."""
    if "PerFrameFunctionalGroupsSequence" in attributes or "SharedFunctionalGroupsSequence" in attributes:
        return from_groups(attributes, count)
    if "GridFrameOffsetVector" in attributes and count > 1:
        return from_offsets(attributes, count)
    if "DetectorInformationSequence" in attributes or not attributes.keys().isdisjoint(VECTORS):
        return from_vectors(attributes, count)
    return [attributes] * count
