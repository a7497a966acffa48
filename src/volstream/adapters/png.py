"""A PNG writer (ISO/IEC 15948) for 8-bit grey and RGB pictures; the demo needs no imaging library for it."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt


def encode_png(picture: npt.NDArray[np.uint8]) -> bytes:
    """The file's bytes, for (rows, columns) grey or (rows, columns, 3) RGB."""
    rows, columns = picture.shape[:2]
    colour_type = 2 if picture.ndim == 3 else 0
    lines = np.ascontiguousarray(picture).reshape(rows, -1)
    # Every line begins with its filter type, 0 for none.
    data = np.pad(lines, ((0, 0), (1, 0))).tobytes()
    header = struct.pack(">IIBBBBB", columns, rows, 8, colour_type, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(data, 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
