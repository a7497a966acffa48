"""DICOM JSON to attributes in plain Python: what the native reader is held against."""

from __future__ import annotations

import base64
import json
from typing import Any

from volstream.errors import DamagedError, ProtocolError
from volstream.headers.tags import TAGS
from volstream.headers.values import Attributes

MOST_DEPTH = 64
PIXELS = {"7FE00008": "FloatPixelData", "7FE00009": "DoubleFloatPixelData", "7FE00010": "PixelData"}
#: Keyword and VR of the wanted tags; for pixel data, of whichever kind, their keyword stands in the VR's place.
BY_TAG = {f"{tag:08X}": (keyword, vr) for keyword, (tag, vr) in TAGS.items()} | {
    tag: ("PixelData", keyword) for tag, keyword in PIXELS.items()
}
NUMBERS = frozenset({"DS", "IS", "US", "SS", "UL", "SL", "FL", "FD", "UV", "SV", "XS"})


def reference(data: bytes) -> list[Attributes]:
    """The attributes of each instance. ProtocolError if it is no list of instances, DamagedError for a bad table."""
    try:
        found = json.loads(data, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"the metadata are not JSON: {error}") from None
    instances = [found] if isinstance(found, dict) else found
    if not isinstance(instances, list) or not all(isinstance(instance, dict) for instance in instances):
        raise ProtocolError("the metadata are not a list of instances")
    return [_attributes(instance, 0) for instance in instances]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The last of equal names counts; of tags, in whichever case they are written."""
    return {name.upper() if name.upper() in BY_TAG else name: value for name, value in pairs}


def _attributes(instance: dict[str, Any], depth: int) -> Attributes:
    if depth > MOST_DEPTH:
        raise ProtocolError(f"sequences are nested deeper than {MOST_DEPTH}")
    found: Attributes = {}
    for tag, element in instance.items():
        if tag not in BY_TAG or not isinstance(element, dict):
            continue
        keyword, vr = BY_TAG[tag]
        if keyword == "PixelData":
            if depth == 0:
                found["PixelData"] = vr
            continue
        value = _value(keyword, vr, element, depth)
        if value is not None:
            found[keyword] = value
    return found | {"SpecificCharacterSet": b"ISO_IR 192"}


def _value(keyword: str, vr: str, element: dict[str, Any], depth: int) -> Any:
    if vr[0] == "O":
        return _binary(keyword, element)
    values = element.get("Value")
    if isinstance(values, list) and len(values) == 1 and isinstance(values[0], str):
        return values[0].encode("utf-8", "replace")
    values = values if isinstance(values, list) else [] if values is None else [values]
    if vr == "SQ":
        return [_attributes(item, depth + 1) for item in values if isinstance(item, dict)]
    values = ["" if value is None else value for value in values]
    if not values or any(isinstance(value, (dict, list, bool)) for value in values):
        return None
    if vr in NUMBERS and not any(isinstance(value, str) for value in values):
        return values[0] if len(values) == 1 else tuple(values)
    return "\\".join(map(str, values)).encode("utf-8", "replace")


def _binary(keyword: str, element: dict[str, Any]) -> bytes | str | None:
    inline, uri = element.get("InlineBinary"), element.get("BulkDataURI")
    if isinstance(inline, str):
        try:
            return base64.b64decode(inline, validate=True)
        except ValueError:
            raise DamagedError(f"{keyword} is not base64") from None
    if isinstance(element.get("Value"), list):
        try:
            return b"".join(int(word).to_bytes(2, "little") for word in element["Value"])
        except (ValueError, TypeError, OverflowError):
            raise DamagedError(f"{keyword} is not a table of 16-bit words") from None
    return uri.encode("utf-8", "replace").decode() if isinstance(uri, str) else None
