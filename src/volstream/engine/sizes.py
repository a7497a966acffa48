"""How many of a frame's first bytes a stage at reduced resolution needs: guessed, then learnt from what has come."""

from __future__ import annotations

import threading
from dataclasses import replace

from ..errors import UnsupportedError, VolstreamError
from ..fetch.source import Want
from ..records import Payload, PixelFormat
from .decode import bytes_of, codec_of, native_codecs
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
        sizes = prefix_sizes(pixel, syntax, bytes_of(payload.data)) if is_scalable(syntax) else None
        if sizes is None:
            self.useful = False
            return False
        with self._lock:
            self._known |= {r: max(size, self._known.get(r, 0)) for r, size in sizes.items()}
        return True

    def best(self, want: Want, payload: Payload) -> tuple[Want, Payload]:
        """The want for the finest image that the beginning of a frame holds, or not quite; and that beginning, read."""
        data = bytes_of(payload.data)
        payload = Payload(data, payload.transfer_syntax)
        if not self.learn(want.record.pixel, payload):
            raise UnsupportedError("the beginning of this frame is no smaller image of it")
        found = finest(data)
        return (want if found is None else replace(want, reduce=min(found, want.reduce))), payload
