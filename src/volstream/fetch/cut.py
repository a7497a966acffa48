"""The beginning of a frame that needs no request."""

from __future__ import annotations

from volstream.records import FileRange, Location


def cut(location: Location, size: int) -> Location:
    """The first `size` bytes of a frame (all of them if it has no more), without reading or copying any."""
    if not isinstance(location, FileRange):
        return memoryview(location)[:size]
    ranges = []
    for offset, length in location.ranges:
        if size <= 0:
            break
        ranges.append((offset, min(length, size)))
        size -= length
    return FileRange(location.path, tuple(ranges))
