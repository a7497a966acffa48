"""Prefixes of JPEG 2000 and HTJ2K frames: which can be decoded at reduced size, and how long they must be.

A codestream that is ordered by resolution begins with a smaller image. `reduce` r halves its size r times.
Everything here is pure: bytes in, numbers out.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace

import numpy as np
from typing_extensions import Buffer

from .. import _native
from ..errors import VolstreamError
from ..records import IDENTITY, PixelFormat
from .decode import codec_of, native_codecs, spec_fields

#: More than that leaves too little of a frame to be worth a request of its own.
MOST_REDUCED = 5


def useful(codestream_prefix: Buffer) -> bool:
    """Whether the codestream that begins so can be decoded, from a prefix, at reduced size.

    The prefix must hold the main header (some 200 bytes; with tile-part lengths a little more), else the answer is no.
    """
    stream = _native.probe(codestream_prefix)
    return stream is not None and stream["is_resolution_major"] and stream["resolutions"] > 0


def prefix_sizes(pixel: PixelFormat, transfer_syntax: str, codestream: Buffer) -> dict[int, int] | None:
    """How many of a whole codestream's first bytes a decode with `reduce` 1, 2, ... needs: bytes by `reduce`.

    Exact where the markers tell. Otherwise learnt: the shortest prefix whose decode at that size is the same as that of
    the whole codestream, which takes a dozen decodes of small images. None for frames of which no prefix is useful.
    Another frame of the same series needs other sizes, though hardly ever very different ones.
    """
    codec = codec_of(transfer_syntax)
    if codec not in native_codecs() or not useful(codestream):
        return None
    data = memoryview(codestream)
    stream = _native.probe(data)
    assert stream is not None
    levels = range(1, min(stream["resolutions"], MOST_REDUCED) + 1)
    told = _native.resolution_ends(data) or [None] * (stream["resolutions"] + 1)
    try:
        return {reduce: told[reduce] or _learnt(pixel, codec, data, reduce) for reduce in levels}
    except VolstreamError:
        return None


def _learnt(pixel: PixelFormat, codec: str, data: memoryview, reduce: int) -> int:
    if pixel.palette is not None:  # which colours the stored values stand for does not matter
        pixel = replace(pixel, palette=None, photometric="MONOCHROME2")
    spec = _native.FrameSpec(**spec_fields(pixel, IDENTITY, codec, 0) | {"reduce": reduce, "allow_truncated": True})
    shape = (-(-pixel.rows >> reduce), -(-pixel.columns >> reduce), pixel.samples_per_pixel)

    def decoded(size: int) -> bytes:
        out = np.empty(shape)  # float64 holds every stored value
        _native.decode(spec, data[:size], out.data, 0, "float64")
        return out.tobytes()

    whole = decoded(len(data))

    def is_enough(size: int) -> bool:
        try:
            return decoded(size) == whole
        except VolstreamError:
            return False  # not even its header

    return bisect_left(range(len(data)), True, key=is_enough)
