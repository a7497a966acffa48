"""Where the bytes of each frame are. PS3.5 section 8 and A.4."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from volstream.errors import DamagedError
from volstream.records import FrameRecord, PixelFormat
from volstream.syntaxes import BIG_ENDIAN, SYNTAXES

log = logging.getLogger(__name__)

Ranges = tuple[tuple[int, int], ...]


class Fragments(NamedTuple):
    """Encapsulated pixel data, as the native reader finds them; offsets are those of the file or buffer."""

    offset_table: bytes
    #: (offset, length, begins like a codestream) of each.
    fragments: Sequence[tuple[int, int, bool]]
    #: 0: ended by a delimiter, 1: the file ends before, 2: something else follows.
    end: int
    #: Extended Offset Table and its lengths (7FE0,0001), (7FE0,0002); empty if absent.
    extended: tuple[int, ...] = ()
    extended_lengths: tuple[int, ...] = ()


def native_ranges(pixel: PixelFormat, count: int, offset: int, length: int, transfer_syntax: str = "") -> list[Ranges]:
    """Frames of uncompressed pixel data, in whole words: `first_bit` tells where in its first word a frame starts.
    What a truncated file lacks is found when the frame is read."""
    size, bits, word = pixel.frame_bytes, pixel.frame_bits, _word_bits(transfer_syntax)
    expected = (bits * count + 7) // 8
    # Padding is common, and harmless. Half a frame more means that the header is wrong.
    if length < expected or length - expected > max(size // 2, 1):
        raise DamagedError(f"{length} bytes of pixel data where {count} frames of {size} bytes are {expected}")
    # Frames follow each other without padding, PS3.5 8.1.1.
    starts = [bits * frame // word * word // 8 for frame in range(count)]
    ends = [-(-bits * (frame + 1) // word) * word // 8 for frame in range(count)]
    return [((offset + start, end - start),) for start, end in zip(starts, ends, strict=True)]


def first_bit(record: FrameRecord, transfer_syntax: str) -> int:
    """Where a frame starts in the first word of its location; alone, as in a DICOMweb answer, at its first bit."""
    known = SYNTAXES.get(transfer_syntax)
    if record.location is None or (known is not None and known.encapsulated):
        return 0
    return record.frame * record.pixel.frame_bits % _word_bits(transfer_syntax)


def _word_bits(transfer_syntax: str) -> int:
    """Big endian bytes and single bits are in swapped pairs of bytes: words of VR OW, PS3.5 A.3."""
    return 16 if transfer_syntax == BIG_ENDIAN else 8


def frame_ranges(data: Fragments, count: int) -> list[Ranges]:
    """Frames of encapsulated pixel data; empty where a truncated file lacks all of a frame."""
    found = [(offset, length) for offset, length, _ in data.fragments]
    if data.end == 2:
        raise DamagedError(f"after fragment {len(found)} of the pixel data comes something that is none")
    if data.extended and (exact := _extended(data, found, count)):
        return exact
    heads = [head for _, _, head in data.fragments]
    starts = _basic(data, found, count)
    if starts is None and count == 1:
        starts = [0]
    if starts is None and len(found) == count and (all(heads) or not any(heads)):
        starts = list(range(count))
    if starts is None and (heads[:1] == [True] or not heads):
        starts = [index for index, head in enumerate(heads) if head]
    if starts is None or len(starts) > count or (len(starts) < count and data.end != 1) or not (found or data.end == 1):
        raise DamagedError(f"{len(found)} fragments of pixel data cannot be told apart as {count} frames")
    frames: list[Ranges] = [tuple(found[start:end]) for start, end in pairwise([*starts, len(found)])]
    if len(frames) < count:  # the file is cut, and the last of these frames may be as well
        del frames[-1:]
    return frames + [()] * (count - len(frames))


def _extended(data: Fragments, found: list[tuple[int, int]], count: int) -> list[Ranges] | None:
    """By the Extended Offset Table: each frame is one fragment. None if the table contradicts the fragments."""
    lengths = data.extended_lengths or tuple(length for _, length in found)
    if not found or len(data.extended) != count or len(lengths) != count:
        return None
    first = found[0][0]
    there = dict(found)
    ranges: list[Ranges] = []
    for relative, length in zip(data.extended, lengths, strict=True):
        offset = first + relative
        if not 0 <= length <= there.get(offset, -1):
            log.debug("the Extended Offset Table contradicts the fragments; not used")
            return None
        ranges.append(((offset, length),))
    return ranges


def _basic(data: Fragments, found: list[tuple[int, int]], count: int) -> list[int] | None:
    """First fragment of each frame by the Basic Offset Table. None if it is empty or contradicts the fragments."""
    table = data.offset_table
    offsets = [int.from_bytes(table[at : at + 4], "little") for at in range(0, len(table) - 3, 4)]
    if not offsets or not found or len(offsets) != count:
        return None
    index = {offset - found[0][0]: i for i, (offset, _) in enumerate(found)}
    starts = [index.get(offset, -1) for offset in offsets]
    if starts[0] != 0 or any(a >= b for a, b in pairwise(starts)):
        log.debug("the Basic Offset Table contradicts the fragments; not used")
        return None
    return starts
