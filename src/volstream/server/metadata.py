"""Metadata in the DICOM JSON model (PS3.18 Annex F)."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from volstream.server.frames import sent_syntax
from volstream.server.index import Instance

_BINARY = ("OB", "OD", "OF", "OL", "OV", "OW", "UN")
#: Longer binary values are left out, but for look-up tables, without which the pixels cannot be understood.
_LONGEST = 4096


def instance_metadata(instance: Instance, url: str) -> bytes:
    """The JSON object of an instance at `url`: all attributes but pixel and other bulk data."""
    return json.dumps(
        _attributes(instance.path)
        | {
            # As in the results of a search (PS3.18 10.6.3.3.4): tells clients what decoder they will need.
            "00083002": {"vr": "UI", "Value": [sent_syntax(instance.transfer_syntax)]},
            _pixel_tag(instance): {"vr": _pixel_vr(instance), "BulkDataURI": f"{url}/pixeldata"},
        },
        separators=(",", ":"),
    ).encode()


@lru_cache(maxsize=4096)
def _attributes(path: Path) -> dict[str, Any]:
    from pydicom import dcmread

    image = dcmread(path, force=True, stop_before_pixels=True)
    for element in list(image):
        if element.VR in _BINARY and "LookupTable" not in element.keyword and len(element.value or b"") > _LONGEST:
            del image[element.tag]
    attributes: dict[str, Any] = image.to_json_dict(bulk_data_threshold=1 << 31, suppress_invalid_tags=True)
    return attributes


def _pixel_tag(instance: Instance) -> str:
    pixel = instance.records[0].pixel
    if pixel.is_float:
        return "7FE00008" if pixel.bits_allocated == 32 else "7FE00009"
    return "7FE00010"


def _pixel_vr(instance: Instance) -> str:
    return {"7FE00008": "OF", "7FE00009": "OD"}.get(_pixel_tag(instance), "OW")
