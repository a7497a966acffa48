"""How many of a frame's first bytes a stage at reduced resolution needs: guessed, then learnt from what has come."""

from __future__ import annotations

import threading
from typing import Any

from .. import _native
from ..errors import VolstreamError
from ..fetch.source import Want
from ..records import FileRange, Payload, PixelFormat
from .decode import codec_of, native_codecs, read_range
from .prefix import prefix_sizes, useful

SCALABLE = frozenset({"jpeg-2000", "htj2k"})
#: What other frames of the series may need more than one that is known.
MARGIN = 1.1
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
        self._known: dict[int, int] = {}
        self._learnt = False
        self._useless = False
        self._lock = threading.Lock()

    def of(self, want: Want) -> int | None:
        """Bytes to ask for; None for the whole frame."""
        syntax = want.record.transfer_syntax
        # What some servers do not tell may be one of them.
        if self._useless or not want.reduce or (syntax and not is_scalable(syntax)):
            return None
        if want.reduce in self._known:
            return self._known[want.reduce]
        # The stored bits of as many pixels: lossless codecs need about as many for the lowest resolutions.
        return HEADER + (want.record.pixel.frame_bytes >> (2 * want.reduce)) * want.record.pixel.bits_stored // (
            want.record.pixel.bits_allocated
        )

    def give_up(self) -> None:
        """The beginnings of these frames are no images."""
        self._useless = True

    def is_useful(self, prefix: Any, reduce: int) -> bool:
        """Whether this prefix is worth decoding. If not, no other is asked for."""
        stream = _native.probe(prefix)
        if stream is None or not useful(prefix) or stream["resolutions"] < reduce:
            self.give_up()
            return False
        ends = _native.resolution_ends(prefix)
        if ends and not self._learnt:
            with self._lock:
                self._known |= {r: int(MARGIN * end) for r, end in enumerate(ends) if r and end}
        return True

    def learn(self, pixel: PixelFormat, payload: Payload) -> None:
        """From the first whole frame that comes."""
        with self._lock:
            if self._learnt or self._useless:
                return
            self._learnt = True
        data: Any = payload.data
        if isinstance(data, FileRange):
            data = read_range(data)
        elif isinstance(data, tuple):
            data = b"".join(data)
        sizes = prefix_sizes(pixel, payload.transfer_syntax, data)
        if sizes is None:
            self._useless = True
        else:
            self._known = {reduce: int(MARGIN * size) for reduce, size in sizes.items()}
