"""Prefixes of JPEG 2000 and HTJ2K frames: whether one is of use, how long it must be, what it holds.

A codestream that is ordered by resolution begins with a smaller image, and `reduce` r is how often its size is halved.
Everything here is pure: bytes in, numbers out. All of it reads headers only (`_native.resolution_ends`); nothing is
decoded.
"""

from __future__ import annotations

from typing_extensions import Buffer

from .. import _native
from ..records import PixelFormat
from .decode import codec_of, native_codecs

#: A 32nd of the size is as little as is worth looking at.
MOST_REDUCED = 5


def useful(codestream_prefix: Buffer) -> bool:
    """Whether prefixes of the codestream that begins so can be decoded at reduced size.

    Half a kilobyte is enough to tell; from fewer bytes than the main header has, the answer is no.
    """
    stream = _native.probe(codestream_prefix)
    return stream is not None and stream["is_resolution_major"] and stream["resolutions"] > 0


def prefix_sizes(pixel: PixelFormat, transfer_syntax: str, codestream: Buffer) -> dict[int, int] | None:
    """How many of a codestream's first bytes a decode with `reduce` 1, 2, ... needs: bytes by `reduce`, descending.

    Exact, for this frame; the next one of its series needs about as many. Given a whole codestream, there is every
    `reduce` from 1 to its number of decompositions, or `MOST_REDUCED`; given a prefix, those that it tells of. None if
    no prefix is useful, or the native core would not decode it as that frame.
    """
    stream = _native.probe(codestream)
    if stream is None or not useful(codestream) or codec_of(transfer_syntax) not in native_codecs():
        return None
    shape = (stream["rows"], stream["columns"], stream["components"])
    if shape != (pixel.rows, pixel.columns, pixel.samples_per_pixel):
        return None
    ends = _native.resolution_ends(codestream) or []
    return {reduce: end for reduce, end in enumerate(ends[: MOST_REDUCED + 1]) if reduce and end} or None


def finest(codestream_prefix: Buffer) -> int | None:
    """The least `reduce` for which a prefix holds everything; None if it has not even the lowest resolution."""
    size = memoryview(codestream_prefix).nbytes
    ends = _native.resolution_ends(codestream_prefix) or []
    return next((reduce for reduce, end in enumerate(ends) if end is not None and end <= size), None)
