"""Frames of pixel data to locations: ranges of a file, or views of bytes in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from volstream.errors import DamagedError
from volstream.headers.pixeldata import Fragments, Ranges, frame_ranges, native_ranges
from volstream.headers.values import Attributes
from volstream.records import FileRange, Location, PixelFormat
from volstream.syntaxes import SYNTAXES

Data = bytes | bytearray | memoryview


class PixelData(NamedTuple):
    """An instance's pixel data: within a file, by its path, or within bytes."""

    source: str | Data
    transfer_syntax: str
    offset: int
    #: None: encapsulated, and then `fragments` is set.
    length: int | None
    fragments: Fragments | None = None

    def locate(self, pixel: PixelFormat, count: int) -> Sequence[Location]:
        """The bytes of each frame."""
        known = SYNTAXES.get(self.transfer_syntax)
        if self.fragments is None:
            if known is not None and known.encapsulated:
                raise DamagedError(f"the pixel data are not encapsulated, as {known.name} must be")
            ranges = native_ranges(pixel, count, self.offset, self.length or 0, self.transfer_syntax)
        else:
            if known is not None and not known.encapsulated:
                raise DamagedError(f"the pixel data are encapsulated, which {known.name} cannot be")
            ranges = frame_ranges(self.fragments, count)
        if isinstance(self.source, str):
            return [FileRange(self.source, frame) for frame in ranges]
        view = memoryview(self.source)
        return [_joined(view, frame, self.fragments is not None) for frame in ranges]


def extended_table(attributes: Attributes) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Extended Offset Table and its lengths (PS3.3 C.7.6.3.1.8); empty where absent."""

    def words(keyword: str) -> tuple[int, ...]:
        raw = attributes.get(keyword, b"")
        return tuple(int.from_bytes(raw[at : at + 8], "little") for at in range(0, len(raw) - 7, 8))

    return words("ExtendedOffsetTable"), words("ExtendedOffsetTableLengths")


def _joined(data: memoryview, ranges: Ranges, encapsulated: bool) -> Location:
    """A frame's bytes. Of a truncated codestream none at all: some decoders would not notice."""
    if encapsulated and any(offset + length > len(data) for offset, length in ranges):
        return b""
    parts = [data[offset : offset + length] for offset, length in ranges]
    return parts[0] if len(parts) == 1 else b"".join(parts)
