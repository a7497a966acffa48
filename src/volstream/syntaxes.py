"""The transfer syntaxes (PS3.5 Annex A, PS3.6 Annex A): one row each, read by headers, fetch and engine."""

from __future__ import annotations

from typing import NamedTuple


class Syntax(NamedTuple):
    """How a transfer syntax stores pixel data, and which codec reads it."""

    uid: str
    name: str
    #: Codec name as `_native.codecs()` lists it, or "plugin" for those that only pydicom's plugins read.
    codec: str
    #: True where pixel data are a sequence of fragments.
    encapsulated: bool = False
    lossy: bool = False


IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
ENCAPSULATED_RAW = "1.2.840.10008.1.2.1.98"
RLE = "1.2.840.10008.1.2.5"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.57"
JPEG_LOSSLESS_SV1 = "1.2.840.10008.1.2.4.70"
JPEG_LS = "1.2.840.10008.1.2.4.80"
JPEG_LS_NEAR = "1.2.840.10008.1.2.4.81"
JPEG_2000_LOSSLESS = "1.2.840.10008.1.2.4.90"
JPEG_2000 = "1.2.840.10008.1.2.4.91"
HTJ2K_LOSSLESS = "1.2.840.10008.1.2.4.201"
HTJ2K_RPCL = "1.2.840.10008.1.2.4.202"
HTJ2K = "1.2.840.10008.1.2.4.203"
JPEG_XL_LOSSLESS = "1.2.840.10008.1.2.4.110"
JPEG_XL_RECOMPRESSION = "1.2.840.10008.1.2.4.111"
JPEG_XL = "1.2.840.10008.1.2.4.112"

SYNTAXES: dict[str, Syntax] = {
    row.uid: row
    for row in (
        Syntax(IMPLICIT, "Implicit VR Little Endian", "raw"),
        Syntax(EXPLICIT, "Explicit VR Little Endian", "raw"),
        Syntax(DEFLATED, "Deflated Explicit VR Little Endian", "raw"),
        Syntax(BIG_ENDIAN, "Explicit VR Big Endian", "raw-be"),
        Syntax(ENCAPSULATED_RAW, "Encapsulated Uncompressed Explicit VR Little Endian", "raw", True),
        Syntax(RLE, "RLE Lossless", "rle", True),
        Syntax(JPEG_BASELINE, "JPEG Baseline (Process 1)", "jpeg", True, True),
        Syntax(JPEG_EXTENDED, "JPEG Extended (Process 2 and 4)", "jpeg", True, True),
        Syntax(JPEG_LOSSLESS, "JPEG Lossless (Process 14)", "jpeg-lossless", True),
        Syntax(JPEG_LOSSLESS_SV1, "JPEG Lossless (Process 14, SV1)", "jpeg-lossless", True),
        Syntax(JPEG_LS, "JPEG-LS Lossless", "jpeg-ls", True),
        Syntax(JPEG_LS_NEAR, "JPEG-LS Near-Lossless", "jpeg-ls", True, True),
        Syntax(JPEG_2000_LOSSLESS, "JPEG 2000 Lossless", "jpeg-2000", True),
        Syntax(JPEG_2000, "JPEG 2000", "jpeg-2000", True, True),
        Syntax(HTJ2K_LOSSLESS, "HTJ2K Lossless", "htj2k", True),
        Syntax(HTJ2K_RPCL, "HTJ2K Lossless RPCL", "htj2k", True),
        Syntax(HTJ2K, "HTJ2K", "htj2k", True, True),
        Syntax(JPEG_XL_LOSSLESS, "JPEG XL Lossless", "plugin", True),
        Syntax(JPEG_XL_RECOMPRESSION, "JPEG XL JPEG Recompression", "plugin", True, True),
        Syntax(JPEG_XL, "JPEG XL", "plugin", True, True),
    )
}
