"""Attributes of a data set as plain values, whichever way they came, and typed access to them.

`Attributes` maps keywords to values in one form for Part 10 files, DICOM JSON and pydicom datasets: bytes for texts
(several values with backslashes between, as in a file) and tables, int, float or a tuple of them for numbers, a list
of `Attributes` for sequences. So records are built in one way only.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar

from volstream.errors import DamagedError

Attributes: TypeAlias = dict[str, Any]
T = TypeVar("T")

_PADDING = b" \0\t\r\n"
_ENCODINGS = {
    "ISO_IR 192": "utf-8", "GB18030": "gb18030", "GBK": "gbk", "ISO_IR 13": "shift_jis", "ISO_IR 166": "iso8859_11",
    "ISO_IR 100": "iso8859_1", "ISO_IR 101": "iso8859_2", "ISO_IR 109": "iso8859_3", "ISO_IR 110": "iso8859_4",
    "ISO_IR 144": "iso8859_5", "ISO_IR 127": "iso8859_6", "ISO_IR 126": "iso8859_7", "ISO_IR 138": "iso8859_8",
    "ISO_IR 148": "iso8859_9",
}  # fmt: skip


def shared(*keywords: str) -> Callable[[Callable[[Attributes], T]], Callable[[Attributes], T]]:
    """What depends on these attributes only is computed once for equal raw values, and is one object."""

    def decorate(function: Callable[[Attributes], T]) -> Callable[[Attributes], T]:
        @lru_cache(maxsize=64)
        def compute(*values: Any) -> T:
            return function({k: v for k, v in zip(keywords, values, strict=True) if v is not None})

        return lambda attributes: compute(*map(attributes.get, keywords))

    return decorate


def numbers(attributes: Attributes, keyword: str) -> tuple[float, ...] | None:
    """All values, finite; None where the attribute is absent or empty."""
    value = attributes.get(keyword)
    if value is None:
        return None
    try:
        found = _parse(value) if isinstance(value, bytes) else _plain(value)
    except (ValueError, TypeError, OverflowError):
        raise DamagedError(f"{keyword} is {shown(value)}, not a number") from None
    return found or None


def number(attributes: Attributes, keyword: str) -> float | None:
    """The first value."""
    found = numbers(attributes, keyword)
    return found[0] if found else None


def integer(attributes: Attributes, keyword: str) -> int | None:
    """The first value, which must be whole."""
    found = number(attributes, keyword)
    if found is None:
        return None
    if not found.is_integer():
        raise DamagedError(f"{keyword} is {found}, not a whole number")
    return int(found)


def vector(attributes: Attributes, keyword: str, size: int) -> tuple[float, ...] | None:
    """Exactly `size` values."""
    found = numbers(attributes, keyword)
    if found is not None and len(found) != size:
        raise DamagedError(f"{keyword} has {len(found)} values instead of {size}")
    return found


def lenient(function: Callable[[Attributes, str], T | None], attributes: Attributes, keyword: str) -> T | None:
    """For attributes that no voxel depends on: None where they are damaged."""
    try:
        return function(attributes, keyword)
    except DamagedError:
        return None


def text(attributes: Attributes, keyword: str) -> str:
    """The whole text without padding; "" where it is absent."""
    value = attributes.get(keyword)
    if not value or not isinstance(value, bytes):
        return ""
    return decode(value, attributes.get("SpecificCharacterSet", b""))


def texts(attributes: Attributes, keyword: str) -> tuple[str, ...]:
    """Each of several values without padding."""
    value = attributes.get(keyword)
    return _split(value) if value and isinstance(value, bytes) else ()


def items(attributes: Attributes, keyword: str) -> list[Attributes]:
    """A sequence's items; none where it is absent."""
    value = attributes.get(keyword)
    return value if isinstance(value, list) else []


def shown(value: Any) -> str:
    """A value for a message: short and printable."""
    return ascii(value.decode("latin-1") if isinstance(value, bytes) else value)[:60]


def decode(raw: bytes, character_set: bytes) -> str:
    """Text in a Specific Character Set (PS3.3 C.12.1.1.2)."""
    raw = raw.strip(_PADDING)
    return raw.decode() if raw.isascii() and b"\x1b" not in raw else _decode(raw, character_set)


@lru_cache(maxsize=1024)
def _decode(raw: bytes, character_set: bytes) -> str:
    names = _split(character_set)
    if len(names) == 1 and (encoding := _ENCODINGS.get(names[0])):
        return raw.decode(encoding, "replace")
    from pydicom.charset import convert_encodings, decode_bytes  # code extensions, ISO 2022

    try:
        return str(decode_bytes(raw, convert_encodings(list(names)), set(b"\r\n\f\t\\")))
    except (LookupError, ValueError):
        return raw.decode("ascii", "replace")


def _split(raw: bytes) -> tuple[str, ...]:
    return _split_several(raw) if b"\\" in raw else (raw.strip(_PADDING).decode("ascii", "replace"),)


@lru_cache(maxsize=4096)
def _split_several(raw: bytes) -> tuple[str, ...]:
    return tuple(part.strip(_PADDING).decode("ascii", "replace") for part in raw.split(b"\\"))


@lru_cache(maxsize=4096)
def _parse(raw: bytes) -> tuple[float, ...]:
    """Decimal or integer strings. PS3.5 6.2: digits, sign, point, exponent; nothing else that Python reads."""
    raw = raw.strip(_PADDING)
    if b"_" in raw:
        raise ValueError
    return _plain(tuple(float(part.strip(_PADDING)) for part in raw.split(b"\\"))) if raw else ()


def _plain(value: Any) -> tuple[float, ...]:
    found = tuple(map(float, value)) if isinstance(value, tuple) else (float(value),)
    if not all(map(math.isfinite, found)):
        raise ValueError
    return found
