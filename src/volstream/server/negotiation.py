"""Which representation a request's Accept header asks for (PS3.18 section 8.7)."""

from __future__ import annotations

import re
from typing import NamedTuple

from volstream import syntaxes as ts

OCTETS = "application/octet-stream"
DICOM = "application/dicom"

#: Media types of compressed frames, PS3.18 table 8.7.3-5.
MEDIA_TYPES = {
    ts.RLE: "image/dicom-rle",
    ts.JPEG_BASELINE: "image/jpeg",
    ts.JPEG_EXTENDED: "image/jpeg",
    ts.JPEG_LOSSLESS: "image/jpeg",
    ts.JPEG_LOSSLESS_SV1: "image/jpeg",
    ts.JPEG_LS: "image/jls",
    ts.JPEG_LS_NEAR: "image/jls",
    ts.JPEG_2000_LOSSLESS: "image/jp2",
    ts.JPEG_2000: "image/jp2",
    ts.HTJ2K_LOSSLESS: "image/jphc",
    ts.HTJ2K_RPCL: "image/jphc",
    ts.HTJ2K: "image/jphc",
    ts.JPEG_XL_LOSSLESS: "image/jxl",
    ts.JPEG_XL_RECOMPRESSION: "image/jxl",
    ts.JPEG_XL: "image/jxl",
}
_PARAMETER = re.compile(r';\s*([\w-]+)\s*=\s*(?:"([^"]*)"|([^\s;,"]*))\s*')
_RANGE = re.compile(r'\s*([\w.*+-]+/[\w.*+-]+)\s*((?:;\s*[\w-]+\s*=\s*(?:"[^"]*"|[^\s;,"]*)\s*)*)(?:,|$)')


class Choice(NamedTuple):
    """The media type of each part, and whether there are parts or just the one body."""

    media_type: str
    multipart: bool


def choose(accept: str, offered: list[str], syntax: str, *, single: bool) -> Choice | None:
    """The acceptable representation that the client likes best; None if there is none.

    `offered` are the media types that can be sent, the best first, all in transfer syntax `syntax`; `single` says
    that there is just one part, so that it may go without a multipart envelope.
    """
    best: tuple[float, Choice | None] = (0.0, None)
    for media_range, parameters in _ranges(accept):
        quality = _quality(parameters.get("q", "1"))
        choice = _match(media_range, parameters, offered, syntax, single)
        if choice is not None and quality > best[0]:
            best = (quality, choice)
    return best[1]


def _match(
    media_range: str, parameters: dict[str, str], offered: list[str], syntax: str, single: bool
) -> Choice | None:
    if media_range in ("*/*", "multipart/*"):
        return Choice(offered[0], multipart=True)
    multipart = media_range == "multipart/related"
    if not multipart and not single:
        return None
    wanted = parameters.get("type", offered[0]).lower() if multipart else media_range
    media_type = next((each for each in offered if wanted in (each, "*/*", each.split("/")[0] + "/*")), None)
    # Uncompressed is what octets are unless the client says that they may be something else (PS3.18 8.7.3.5.2).
    default = ts.EXPLICIT if media_type == OCTETS else syntax
    if media_type is None or parameters.get("transfer-syntax", default) not in ("*", syntax):
        return None
    return Choice(media_type, multipart)


def _ranges(accept: str) -> list[tuple[str, dict[str, str]]]:
    found, at = [], 0
    accept = accept.strip() or "*/*"
    while at < len(accept) and (match := _RANGE.match(accept, at)):
        parameters = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(match[2])}
        found.append((match[1].lower(), parameters))
        at = match.end()
    return found


def _quality(text: str) -> float:
    try:
        return min(float(text), 1.0)
    except ValueError:
        return 0.0
