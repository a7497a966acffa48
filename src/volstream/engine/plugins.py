"""Frames through pydicom's decoder plugins (pylibjpeg, gdcm, pyjpegls, Pillow) or imagecodecs, for what the native
core has no decoder for. Slow and correct; runs in child processes only."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from typing import Any

import numpy as np

from ..errors import DamagedError, UnsupportedError
from ..syntaxes import SYNTAXES

_JPEG_XL = {uid for uid, syntax in SYNTAXES.items() if syntax.name.startswith("JPEG XL")}


def decode_stored(spec: dict[str, Any], data: bytes, transfer_syntax: str) -> tuple[dict[str, Any], bytes]:
    """Decode to stored values: the spec of a raw frame that stands for them, and its bytes."""
    if transfer_syntax in _JPEG_XL:
        frame, photometric = _jpeg_xl(spec, data)
    else:
        frame, photometric = _pydicom(spec, data, transfer_syntax)
    expected = (spec["rows"], spec["columns"]) + ((spec["samples_per_pixel"],) if spec["samples_per_pixel"] > 1 else ())
    if frame.shape != expected:
        raise DamagedError(f"decoded to {frame.shape}, the header says {expected}")
    raw = spec | {
        "codec": "raw",
        "bits_allocated": frame.dtype.itemsize * 8,
        "photometric": photometric,
        "planar_configuration": 0,
    }
    little = frame.astype(frame.dtype.newbyteorder("<"), copy=False)
    return raw, np.ascontiguousarray(little).tobytes()


def available(transfer_syntax: str) -> tuple[str, ...]:
    """Names of the installed packages that decode a transfer syntax here; empty if there is none."""
    if transfer_syntax in _JPEG_XL:
        return ("imagecodecs",) if find_spec("imagecodecs") else ()
    from pydicom.pixels.decoders.base import get_decoder

    try:
        return tuple(get_decoder(transfer_syntax).available_plugins)
    except NotImplementedError:
        return ()


def _pydicom(spec: dict[str, Any], data: bytes, transfer_syntax: str) -> tuple[Any, str]:
    from pydicom.pixels.decoders.base import get_decoder

    try:
        decoder = get_decoder(transfer_syntax)
    except NotImplementedError as error:
        raise UnsupportedError(f"no decoder for transfer syntax {transfer_syntax}") from error
    if not decoder.is_available:
        missing = "; ".join(decoder.missing_dependencies)
        raise UnsupportedError(f"no decoder is installed for {SYNTAXES[transfer_syntax].name}: {missing}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            frame, properties = decoder.as_array(
                _encapsulate(_mended(data)),
                index=0,
                raw=True,
                **{
                    "number_of_frames": 1,
                    "photometric_interpretation": spec["photometric"],
                }
                | {
                    key: spec[key]
                    for key in (
                        "rows",
                        "columns",
                        "bits_allocated",
                        "bits_stored",
                        "samples_per_pixel",
                        "pixel_representation",
                        "planar_configuration",
                    )
                },
            )
    except Exception as error:  # plugins raise whatever they like
        raise DamagedError(f"pydicom cannot decode the frame: {error}") from error
    return frame, str(properties["photometric_interpretation"])


def _mended(data: bytes) -> bytes:
    """A sequential JPEG whose scan header says 0..0 instead of the 0..63 it must (ISO 10918-1 B.2.3), set right:
    real encoders write that, and libjpeg refuses it."""
    if data[:2] != b"\xff\xd8":
        return data
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        end = at + 2 + length
        if marker in (0xC2, 0xC3, 0xF7):  # progressive, lossless, JPEG-LS: other rules
            return data
        if marker == 0xDA:
            return data[: end - 2] + b"\x3f" + data[end - 1 :] if data[end - 3 : end - 1] == b"\0\0" else data
        at = end
    return data


def _encapsulate(data: bytes) -> bytes:
    from pydicom.encaps import encapsulate

    return bytes(encapsulate([data], has_bot=False))


def _jpeg_xl(spec: dict[str, Any], data: bytes) -> tuple[Any, str]:
    try:
        from imagecodecs import JpegxlError, jpegxl_decode
    except ImportError as error:
        raise UnsupportedError("JPEG XL needs the package imagecodecs") from error
    try:
        frame = np.asarray(jpegxl_decode(data))
    except JpegxlError as error:
        raise DamagedError(f"JPEG XL: {error}") from error
    # The codestream's own colour transform is undone by the decoder (PS3.5 section 8.2.15).
    return frame, "RGB" if spec["samples_per_pixel"] > 1 else spec["photometric"]
