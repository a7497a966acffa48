"""Which transfer syntaxes can be written here, and by which encoder."""

from __future__ import annotations

import functools
import importlib.util
import threading
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from volstream import syntaxes as ts
from volstream.errors import UnsupportedError

#: One frame of stored values, (rows, columns), 8 or 16 bits.
Frame: TypeAlias = NDArray[Any]

_htj2k_lock = threading.Lock()
#: pylibjpeg-openjpeg 2.6 corrupts memory when two threads encode: it lets go of the GIL in the middle.
_pydicom_lock = threading.Lock()


class Encoder(NamedTuple):
    """How frames of one syntax are made; `encode(frame, bits_stored)`."""

    encode: Callable[[Frame, int], bytes]
    #: What has to be installed for it.
    module: str = "pydicom"
    #: The only Bits Stored that the codestream can declare; 0: any, or -1: all of Bits Allocated.
    bits: int = 0
    #: Largest difference of a decoded stored value that is to be expected.
    tolerance: int = 0
    #: False where two's complement would be torn apart by lossy coding.
    signed: bool = True


def _raw(frame: Frame, bits: int) -> bytes:
    return frame.astype(frame.dtype.newbyteorder("<"), copy=False).tobytes()


def _raw_big_endian(frame: Frame, bits: int) -> bytes:
    return frame.astype(frame.dtype.newbyteorder(">"), copy=False).tobytes()


def _pydicom(syntax: str, **options: Any) -> Callable[[Frame, int], bytes]:
    """One of pydicom's encoders, with whichever of its plugins is there."""

    def encode(frame: Frame, bits: int) -> bytes:
        from pydicom.pixels.encoders.base import get_encoder

        with _pydicom_lock:
            encoded: bytes = get_encoder(syntax).encode(
                _raw(frame, bits),
                rows=frame.shape[0],
                columns=frame.shape[1],
                number_of_frames=1,
                samples_per_pixel=1,
                bits_allocated=8 * frame.dtype.itemsize,
                bits_stored=bits,
                pixel_representation=int(frame.dtype.kind == "i"),
                photometric_interpretation="MONOCHROME2",
                **options,
            )
        return encoded

    return encode


@functools.cache
def _prepare_htj2k() -> None:
    """OpenJPH before 0.27 fills its tables at the first use, without a guard: let no other thread see that."""
    import imagecodecs

    imagecodecs.htj2k_encode(np.zeros((8, 8), np.uint16), reversible=True)


def _htj2k(**options: Any) -> Callable[[Frame, int], bytes]:
    def encode(frame: Frame, bits: int) -> bytes:
        import imagecodecs

        with _htj2k_lock:
            _prepare_htj2k()
        return bytes(imagecodecs.htj2k_encode(frame, **options))

    return encode


def _jpeg_xl(**options: Any) -> Callable[[Frame, int], bytes]:
    """As JPEG: the bit pattern, unsigned."""

    def encode(frame: Frame, bits: int) -> bytes:
        import imagecodecs

        return bytes(imagecodecs.jpegxl_encode(frame.view(f"u{frame.dtype.itemsize}"), **options))

    return encode


def _jpeg(**options: Any) -> Callable[[Frame, int], bytes]:
    """JPEG knows no signed samples: the bit pattern is what is coded (PS3.5 8.2.1)."""

    def encode(frame: Frame, bits: int) -> bytes:
        import imagecodecs

        pattern = frame.view(f"u{frame.dtype.itemsize}")
        return bytes(imagecodecs.jpeg8_encode(pattern, bitspersample=bits, **options))

    return encode


ENCODERS: dict[str, Encoder] = {
    ts.IMPLICIT: Encoder(_raw),
    ts.EXPLICIT: Encoder(_raw),
    ts.BIG_ENDIAN: Encoder(_raw_big_endian),
    ts.DEFLATED: Encoder(_raw),
    ts.ENCAPSULATED_RAW: Encoder(_raw),
    ts.RLE: Encoder(_pydicom(ts.RLE)),
    ts.JPEG_BASELINE: Encoder(_jpeg(level=95), "imagecodecs", bits=8, tolerance=12, signed=False),
    ts.JPEG_EXTENDED: Encoder(_jpeg(level=98), "imagecodecs", bits=12, tolerance=64, signed=False),
    ts.JPEG_LOSSLESS: Encoder(_jpeg(lossless=True, predictor=6), "imagecodecs"),
    ts.JPEG_LOSSLESS_SV1: Encoder(_jpeg(lossless=True, predictor=1), "imagecodecs"),
    ts.JPEG_LS: Encoder(_pydicom(ts.JPEG_LS), "jpeg_ls"),
    ts.JPEG_LS_NEAR: Encoder(_pydicom(ts.JPEG_LS_NEAR, jls_error=2), "jpeg_ls", tolerance=2, signed=False),
    ts.JPEG_2000_LOSSLESS: Encoder(_pydicom(ts.JPEG_2000_LOSSLESS), "openjpeg"),
    ts.JPEG_2000: Encoder(_pydicom(ts.JPEG_2000, j2k_psnr=[80]), "openjpeg", tolerance=64),
    # What imagecodecs writes declares all bits of the sample type, and OpenJPH's order is RPCL by default.
    ts.HTJ2K_LOSSLESS: Encoder(_htj2k(reversible=True), "imagecodecs", bits=-1),
    ts.HTJ2K_RPCL: Encoder(_htj2k(reversible=True, tlm=True, tilepart=1), "imagecodecs", bits=-1),
    ts.HTJ2K: Encoder(_htj2k(reversible=False, level=0.0001), "imagecodecs", bits=-1, tolerance=32),
    ts.JPEG_XL_LOSSLESS: Encoder(_jpeg_xl(lossless=True, effort=3), "imagecodecs", bits=-1),
}


def available_syntaxes() -> tuple[str, ...]:
    """UIDs of the transfer syntaxes that `write_series` can write with what is installed."""
    return tuple(uid for uid, encoder in ENCODERS.items() if importlib.util.find_spec(encoder.module))


def best_syntax() -> str:
    """What a demonstration should write: compressed, quick to write and quick to read, if that can be had."""
    written = available_syntaxes()
    return next(uid for uid in (ts.HTJ2K_RPCL, ts.JPEG_LS, ts.EXPLICIT) if uid in written)


def encoder(transfer_syntax: str) -> Encoder:
    """The encoder of a syntax; UnsupportedError names what to install where it is missing."""
    row = ENCODERS.get(transfer_syntax)
    if row is None:
        raise UnsupportedError(f"no encoder for transfer syntax {transfer_syntax}")
    if not importlib.util.find_spec(row.module):
        raise UnsupportedError(f"to write {ts.SYNTAXES[transfer_syntax].name}, install {row.module}")
    return row
