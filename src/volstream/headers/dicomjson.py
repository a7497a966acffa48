"""The DICOM JSON model to records: a series' metadata as a DICOMweb server sends it. PS3.18 Annex F."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial

from volstream import _native
from volstream.errors import ProtocolError, ResourceError, VolstreamError
from volstream.headers.build import build_records, uid_of
from volstream.headers.tags import TAGS
from volstream.headers.values import Attributes, text, texts
from volstream.records import FrameRecord, Location, PixelFormat

MOST_BYTES = 256 << 20

_PIXELS = {"FloatPixelData": 0x7FE00008, "DoubleFloatPixelData": 0x7FE00009, "PixelData": 0x7FE00010}
_TAGS = _native.HeaderTags(TAGS | {keyword: (tag, "px") for keyword, tag in _PIXELS.items()})
_UID = re.compile(r"[0-9.]{1,64}")


def parse_json(data: bytes | bytearray | memoryview, *, address: str | None = None) -> list[Attributes]:
    """The attributes of each instance in a metadata response.

    ProtocolError if it is none, DamagedError for a table that cannot be read, ResourceError if it is too large.
    """
    if len(data) > MOST_BYTES:
        raise ResourceError(f"metadata of {len(data)} bytes, more than {MOST_BYTES}", address=address)
    try:
        return _native.read_json(_utf8(data), _TAGS)
    except VolstreamError as error:
        raise error.located(address=address) from None


def _utf8(data: bytes | bytearray | memoryview) -> bytes | bytearray | memoryview:
    """As DICOM JSON must be (PS3.18 F.2), though there are servers that begin it with a byte order mark."""
    encoding = json.detect_encoding(bytes(data[:4]))
    if encoding == "utf-8":
        return data
    try:
        return str(data, encoding, "surrogatepass").encode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise ProtocolError(f"the metadata are not {encoding}: {error}") from None


def records_from_json(instances: list[Attributes], base_url: str) -> list[FrameRecord]:
    """The records of all images among `instances`, in their order.

    `base_url` is what was asked for the metadata: the address of a study, a series or an instance. Records are
    addressed as "wadors:<series>/instances/<uid>/frames/<n>", counted from 1.
    """
    base = base_url.partition("?")[0].rstrip("/").removesuffix("/metadata")
    return [record for instance in instances for record in _instance(instance, base)]


def _instance(attributes: Attributes, base: str) -> list[FrameRecord]:
    has_size = "Rows" in attributes and "Columns" in attributes
    if not has_size and "PixelData" not in attributes:
        return []  # a report, a plan: no image
    uid = uid_of(attributes)
    if not _UID.fullmatch(uid):
        raise ProtocolError(f"SOPInstanceUID {ascii(uid)[:80]} is no UID", address=base)
    address = _frame_address(attributes, base, uid)
    syntax = text(attributes, "TransferSyntaxUID")
    available = texts(attributes, "AvailableTransferSyntaxUID")
    if not syntax and len(available) == 1:  # of several, the stored one is not known
        syntax = available[0]
    try:
        return build_records(attributes, syntax, address, _elsewhere)
    except VolstreamError as error:
        raise error.located(address=base) from None


def _elsewhere(pixel: PixelFormat, count: int) -> list[Location | None]:
    return [None] * count


def _frame_address(attributes: Attributes, base: str, uid: str) -> Callable[[int, int], str]:
    if not base.endswith(f"/instances/{uid}"):
        if "/series/" not in base:
            series = text(attributes, "SeriesInstanceUID")
            if not _UID.fullmatch(series):
                raise ProtocolError(f"SeriesInstanceUID {ascii(series)[:80]} is no UID", uid=uid, address=base)
            base = f"{base}/series/{series}"
        base = f"{base}/instances/{uid}"
    return partial(_numbered, f"wadors:{base}/frames/")


def _numbered(prefix: str, frame: int, count: int) -> str:
    return f"{prefix}{frame + 1}"
