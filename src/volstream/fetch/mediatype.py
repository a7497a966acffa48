"""Content-Type fields, as servers really write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

_PARAMETER = re.compile(r"""\s*;\s*([^=;\s]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)""")


class MediaType(NamedTuple):
    """RFC 9110 section 8.3.1; names in lower case, values without their double quotes."""

    name: str
    parameters: Mapping[str, str]


# A server sends the same field with each frame.
@lru_cache(maxsize=256)
def parse_media_type(field: str) -> MediaType:
    name, _, _ = field.partition(";")
    parameters: dict[str, str] = {}
    for match in _PARAMETER.finditer(field, len(name)):
        value = match[2].strip()
        if value.startswith('"') and value.endswith('"') and len(value) > 1:
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        parameters.setdefault(match[1].lower(), value)
    return MediaType(name.strip().lower(), parameters)


def boundary_of(media_type: MediaType) -> bytes:
    """The boundary, or b"" where the first line of the body has to tell.

    A boundary may hold single quotes (RFC 2046 section 5.1.1), but some servers mean them as quotes.
    """
    boundary = media_type.parameters.get("boundary", "")
    if len(boundary) > 1 and boundary[0] == boundary[-1] == "'":
        return b""
    return boundary.rstrip().encode("latin-1", "replace")
