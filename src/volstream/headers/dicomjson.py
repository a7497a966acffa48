"""The DICOM JSON model to records: a series' metadata as a DICOMweb server sends it. PS3.18 Annex F."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from volstream.errors import DamagedError, ProtocolError, ResourceError, VolstreamError
from volstream.headers.build import build_records, uid_of
from volstream.headers.tags import TAGS
from volstream.headers.values import Attributes, text, texts
from volstream.records import FrameRecord, Location, PixelFormat

MOST_BYTES = 256 << 20
MOST_DEPTH = 64

_PIXELS = {"7FE00008": "FloatPixelData", "7FE00009": "DoubleFloatPixelData", "7FE00010": "PixelData"}
#: Keyword and VR of the wanted tags; for pixel data, of whichever kind, their keyword stands in the VR's place.
_BY_TAG = {f"{tag:08X}": (keyword, vr) for keyword, (tag, vr) in TAGS.items()} | {
    tag: ("PixelData", keyword) for tag, keyword in _PIXELS.items()
}
_NUMBERS = frozenset({"DS", "IS", "US", "SS", "UL", "SL", "FL", "FD", "UV", "SV", "XS"})
_UID = re.compile(r"[0-9.]{1,64}")


def parse_json(data: bytes | bytearray | memoryview, *, address: str | None = None) -> list[dict[str, Any]]:
    """The instances of a metadata response. ProtocolError if it is none, ResourceError if it is too large."""
    if len(data) > MOST_BYTES:
        raise ResourceError(f"metadata of {len(data)} bytes, more than {MOST_BYTES}", address=address)
    try:
        found = json.loads(bytes(data))
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"the metadata are not JSON: {error}", address=address) from None
    instances = [found] if isinstance(found, dict) else found
    if not isinstance(instances, list) or not all(isinstance(instance, dict) for instance in instances):
        raise ProtocolError("the metadata are not a list of instances", address=address)
    return instances


def records_from_json(instances: list[dict[str, Any]], base_url: str) -> list[FrameRecord]:
    """The records of all images among `instances`, in their order.

    `base_url` is what was asked for the metadata: the address of a study, a series or an instance. Records are
    addressed as "wadors:<series>/instances/<uid>/frames/<n>", counted from 1.
    """
    base = base_url.partition("?")[0].rstrip("/").removesuffix("/metadata")
    return [record for instance in instances for record in _instance(instance, base)]


def _instance(instance: dict[str, Any], base: str) -> list[FrameRecord]:
    attributes = json_attributes(instance)
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


def json_attributes(instance: dict[str, Any], depth: int = 0) -> Attributes:
    """The wanted attributes of a data set, in the one form that records are built from."""
    if depth > MOST_DEPTH:
        raise ProtocolError(f"sequences are nested deeper than {MOST_DEPTH}")
    found: Attributes = {}
    for tag, element in instance.items():
        row = _BY_TAG.get(tag) or _BY_TAG.get(tag.upper())
        if row is None or not isinstance(element, dict):
            continue
        keyword, vr = row
        if keyword == "PixelData":
            if depth == 0:
                found["PixelData"] = vr
            continue
        value = _value(keyword, vr, element, depth)
        if value is not None:
            found[keyword] = value
    return found | {"SpecificCharacterSet": b"ISO_IR 192"}  # JSON is UTF-8, whatever the instance was


def _value(keyword: str, vr: str, element: dict[str, Any], depth: int) -> Any:
    """Lists are tolerated where the model wants one, and the other way round; so are numbers as strings."""
    if vr[0] == "O":
        return _binary(keyword, element)
    values = element.get("Value")
    if isinstance(values, list) and len(values) == 1:  # nearly all of them
        kind = type(values[0])
        if kind is str:
            return values[0].encode("utf-8", "replace")
        if (kind is float or kind is int) and vr in _NUMBERS:
            return values[0]
    values = values if isinstance(values, list) else [] if values is None else [values]
    if vr == "SQ":
        return [json_attributes(item, depth + 1) for item in values if isinstance(item, dict)]
    values = ["" if value is None else value for value in values]
    if not values or any(isinstance(value, (dict, list, bool)) for value in values):
        return None
    if vr in _NUMBERS and not any(isinstance(value, str) for value in values):
        return values[0] if len(values) == 1 else tuple(values)
    return "\\".join(map(str, values)).encode("utf-8", "replace")


def _binary(keyword: str, element: dict[str, Any]) -> bytes | str | None:
    """Bytes, or the address where they are."""
    inline, uri = element.get("InlineBinary"), element.get("BulkDataURI")
    if isinstance(inline, str):
        try:
            return base64.b64decode(inline, validate=True)
        except (binascii.Error, ValueError):
            raise DamagedError(f"{keyword} is not base64") from None
    if isinstance(element.get("Value"), list):  # a table written as numbers
        try:
            return b"".join(int(word).to_bytes(2, "little") for word in element["Value"])
        except (ValueError, TypeError, OverflowError):
            raise DamagedError(f"{keyword} is not a table of 16-bit words") from None
    return uri if isinstance(uri, str) else None
