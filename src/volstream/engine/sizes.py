"""How many of a frame's first bytes a stage at reduced resolution needs: guessed, then learnt from what has come."""

from __future__ import annotations

import threading
from typing import Any

from ..errors import VolstreamError
from ..fetch.source import Want
from ..records import FileRange, Payload, PixelFormat
from .decode import codec_of, native_codecs, read_range
from .prefix import finest, prefix_sizes

SCALABLE = frozenset({"jpeg-2000", "htj2k"})
#: Bytes before the first packet: the main header and the head of a tile.
HEADER = 256


def is_scalable(transfer_syntax: str) -> bool:
    """Whether a frame's first bytes may hold a smaller image, and are decoded here; `useful` knows of a given frame."""
    try:
        codec = codec_of(transfer_syntax)
    except VolstreamError:
        return False
    return codec in SCALABLE & native_codecs()


class PrefixSizes:
    """Of one series. For any thread."""

    def __init__(self) -> None:
        #: False once a frame has shown that its beginning is no smaller image.
        self.useful = True
        self._known: dict[int, int] = {}
        self._lock = threading.Lock()

    def of(self, want: Want) -> int | None:
        """Bytes to ask for; None for the whole frame."""
        syntax = want.record.transfer_syntax
        # What some servers do not tell may be one of them.
        if not self.useful or not want.reduce or (syntax and not is_scalable(syntax)):
            return None
        if want.reduce in self._known:
            return self._known[want.reduce]
        # The stored bits of as many pixels: lossless codecs need about as many for the lowest resolutions.
        pixel = want.record.pixel
        return HEADER + (pixel.frame_bytes >> (2 * want.reduce)) * pixel.bits_stored // pixel.bits_allocated

    def learn(self, pixel: PixelFormat, payload: Payload) -> bool:
        """From a frame, or the beginning of one; whether it is of use."""
        syntax = payload.transfer_syntax
        sizes = prefix_sizes(pixel, syntax, _bytes_of(payload)) if is_scalable(syntax) else None
        if sizes is None:
            self.useful = False
            return False
        with self._lock:
            self._known |= {r: max(size, self._known.get(r, 0)) for r, size in sizes.items()}
        return True

    def best(self, payload: Payload, reduce: int) -> int:
        """The finest resolution of which everything is here; `reduce` if that is all, or not quite."""
        found = finest(_bytes_of(payload))
        return reduce if found is None else min(found, reduce)


def _bytes_of(payload: Payload) -> Any:
    data: Any = payload.data
    if isinstance(data, FileRange):
        return read_range(data)
    return b"".join(data) if isinstance(data, tuple) else data
