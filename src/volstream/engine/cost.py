"""How long the frames of a series will take to decode, found out on the beginning of one."""

from __future__ import annotations

import time
from typing import Any

from .. import _native
from ..errors import VolstreamError
from ..fetch.cut import cut
from ..fetch.link import BULK
from ..records import IDENTITY, Location, PixelFormat
from .decode import bytes_of, codec_of, reduced_shape, spec_fields
from .prefix import finest


def beginning_of(location: Location) -> Any:
    """The first bytes of a frame that needs no request."""
    return bytes_of(cut(location, BULK))


def decode_seconds(pixel: PixelFormat, transfer_syntax: str, beginning: Any) -> float:
    """Seconds for a whole frame on one core: what the finest resolution takes that is all there, by its share of the
    pixels. 0 if that cannot be told."""
    reduce = finest(beginning)
    if reduce is None:
        return 0.0
    try:
        fields = spec_fields(pixel, IDENTITY, codec_of(transfer_syntax), 0, reduce)
        rows, columns, channels = reduced_shape(fields)
        target = bytearray(8 * rows * columns * channels)  # float64 holds whatever is stored
        spec = _native.FrameSpec(**fields)
        seconds = []
        for _ in range(2):  # the first time a thread decodes, it also makes its codec
            begin = time.perf_counter()
            _native.decode(spec, beginning, target, 0, "float64")
            seconds.append(time.perf_counter() - begin)
    except VolstreamError:
        return 0.0
    return min(seconds) * pixel.rows * pixel.columns / (rows * columns)
