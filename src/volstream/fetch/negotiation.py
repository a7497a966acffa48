"""How to ask a server for frames, and what its labels mean. What servers do differently is a row in a table here.

PS3.18 section 8.7 says that `transfer-syntax=*` brings the stored encoding; not every server knows. The first
request to a server goes down `WAYS` alone, and what worked is kept for the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from volstream import _native
from volstream.errors import ProtocolError, TruncatedError
from volstream.fetch.mediatype import MediaType, parse_media_type
from volstream.records import FrameRecord
from volstream.syntaxes import (
    EXPLICIT,
    HTJ2K,
    HTJ2K_LOSSLESS,
    JPEG_2000,
    JPEG_2000_LOSSLESS,
    JPEG_BASELINE,
    JPEG_LOSSLESS_SV1,
    JPEG_LS,
    JPEG_LS_NEAR,
    JPEG_XL,
    RLE,
    SYNTAXES,
)


class Way(NamedTuple):
    """One manner of asking for frames."""

    accept: str
    #: Ask for the instance, and take the frame out of it.
    whole: bool = False


_IMAGES = ("image/jls", "image/jp2", "image/jphc", "image/dicom-rle", "image/jpeg")

WAYS = (
    Way('multipart/related; type="application/octet-stream"; transfer-syntax=*'),  # the standard
    Way("multipart/related; type=application/octet-stream; transfer-syntax=*"),  # servers that compare text
    Way(", ".join(f'multipart/related; type="{image}"; transfer-syntax=*' for image in _IMAGES)),
    Way('multipart/related; type="application/octet-stream"'),  # uncompressed, if need be by transcoding
    Way("multipart/related"),
    Way("*/*"),
    Way('multipart/related; type="application/dicom"; transfer-syntax=*', whole=True),
    Way('multipart/related; type="application/dicom"', whole=True),
)

#: Answers that may only mean "not in this manner": some say 400 or 500 for 406, and 501 for what they cannot transcode.
NEGOTIABLE = frozenset({400, 406, 415, 500, 501})

#: Media types of single codecs, PS3.18 section 8.7.3.3; what the type leaves open is in the codestream.
MEDIA_SYNTAXES = {
    "image/jpeg": JPEG_BASELINE,
    "image/dicom-rle": RLE,
    "image/x-dicom-rle": RLE,
    "image/jls": JPEG_LS,
    "image/x-jls": JPEG_LS,
    "image/jp2": JPEG_2000_LOSSLESS,
    "image/jpx": JPEG_2000,
    "image/jphc": HTJ2K_LOSSLESS,
    "image/jxl": JPEG_XL,
}

#: For each codec with a signature the syntax of lossless and of lossy streams, where no label can be believed.
CODEC_SYNTAXES = {
    "jpeg": (JPEG_BASELINE, JPEG_BASELINE),
    "jpeg-lossless": (JPEG_LOSSLESS_SV1, JPEG_LOSSLESS_SV1),
    "jpeg-ls": (JPEG_LS, JPEG_LS_NEAR),
    "jpeg-2000": (JPEG_2000_LOSSLESS, JPEG_2000),
    "htj2k": (HTJ2K_LOSSLESS, HTJ2K),
}


@dataclass(slots=True)
class Server:
    """What was learnt about one server."""

    way: Way | None = None
    #: Whether it serves several frames of an instance in one request.
    batches: bool = True
    #: Whether it serves ranges of bytes, as far as is known.
    ranges: bool = True
    #: Bytes of a body that stand before the codestream, or more.
    head: int = 512
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


def syntax_of(record: FrameRecord, pieces: Sequence[memoryview | bytearray], *labels: MediaType) -> str:
    """The transfer syntax of a frame that came over the wire, in pieces.

    `labels` are the media types of part and answer, the nearest first. The codestream's own signature is believed
    before any label: servers are known to send compressed frames as Explicit VR Little Endian. Raises TruncatedError
    for raw frames that are too short, ProtocolError for those that are too long.
    """
    label, raw = label_of(record, *labels)
    size, there = record.pixel.frame_bytes, sum(map(len, pieces))
    if raw and size <= there <= size + 1:  # padded to even length, PS3.5 section 8.1.1
        return label
    stream = _native.probe(pieces[0])
    if stream is None and len(pieces) > 1:  # the first piece may end before the codestream's own header does
        stream = _native.probe(b"".join(pieces))
    if stream is not None:
        codec = stream["codec"]
        for syntax in (label, record.transfer_syntax):
            if syntax in SYNTAXES and SYNTAXES[syntax].codec == codec:
                return syntax
        return CODEC_SYNTAXES[codec][bool(stream["is_lossy"])]
    if raw and there != size:
        raise (TruncatedError if there < size else ProtocolError)(f"{there} bytes for a frame of {size}")
    if not raw and SYNTAXES[label].codec in CODEC_SYNTAXES and size <= there <= size + 1:
        return EXPLICIT  # decoded by the server, but labelled as stored
    return label


def label_of(record: FrameRecord, *labels: MediaType) -> tuple[str, bool]:
    """The transfer syntax that labels and header name, and whether it means uncompressed pixels."""
    label = next(filter(None, map(_labelled, labels)), record.transfer_syntax or EXPLICIT)
    return label, label not in SYNTAXES or SYNTAXES[label].codec.startswith("raw")


def _labelled(label: MediaType) -> str:
    """The transfer syntax that a media type states, or ""."""
    syntax = label.parameters.get("transfer-syntax", "")
    if syntax in ("", "*") and ";" in (inner := label.parameters.get("type", "")):
        # Inside the quotes of the outer type, as some servers have it.
        return _labelled(parse_media_type(inner))
    if syntax in ("", "*"):
        return MEDIA_SYNTAXES.get(label.parameters.get("type", label.name).lower(), "")
    return syntax
