"""Modality LUTs and palettes. PS3.3 C.11.1.1, C.7.6.3.1.5, C.7.6.3.1.6 and C.7.9.2."""

from __future__ import annotations

import struct

from volstream.errors import DamagedError, UnsupportedError
from volstream.headers.values import Attributes, integer, items, numbers, text
from volstream.records import LookupTable, Rescale

_COLORS = ("Red", "Green", "Blue")


def modality_table(attributes: Attributes) -> Rescale | None:
    """The Modality LUT, if there is one."""
    for item in items(attributes, "ModalityLUTSequence"):
        length, first, bits = _descriptor(item, "LUTDescriptor", integer(attributes, "PixelRepresentation") == 1)
        entries = _words(item, "LUTData", length, bits)
        return Rescale(type=text(item, "ModalityLUTType"), table=LookupTable(first, entries, bits))
    return None


def palette(attributes: Attributes) -> LookupTable | None:
    """The three colour tables of a PALETTE COLOR image, one after the other."""
    is_signed = integer(attributes, "PixelRepresentation") == 1
    channels, layout = [], None
    for color in _COLORS:
        descriptor = _descriptor(attributes, f"{color}PaletteColorLookupTableDescriptor", is_signed)
        if layout not in (None, descriptor):
            raise DamagedError("the palette's channels differ in length, first value or bits")
        layout = descriptor
        length, _, bits = descriptor
        if f"Segmented{color}PaletteColorLookupTableData" in attributes:
            channels.append(_expand(_data(attributes, f"Segmented{color}PaletteColorLookupTableData"), length, bits))
        else:
            channels.append(_words(attributes, f"{color}PaletteColorLookupTableData", length, bits))
    assert layout is not None
    return LookupTable(layout[1], b"".join(channels), layout[2], 3)


def _descriptor(attributes: Attributes, keyword: str, is_signed: bool) -> tuple[int, int, int]:
    """Number of entries, first stored value mapped, bits of an entry."""
    found = numbers(attributes, keyword)
    if found is None or len(found) != 3:
        raise DamagedError(f"{keyword} has {len(found or ())} values instead of 3")
    length, first, bits = (int(value) for value in found)
    length &= 0xFFFF  # unsigned, whatever the VR says
    first &= 0xFFFF
    if is_signed and first > 0x7FFF:
        first -= 0x10000
    if not 1 <= bits <= 16:
        raise DamagedError(f"{keyword} claims entries of {bits} bits")
    return length or 0x10000, first, bits


def _data(attributes: Attributes, keyword: str) -> bytes:
    value = attributes.get(keyword)
    if isinstance(value, str):
        raise UnsupportedError(f"{keyword} is only to be had at {value}")
    if not isinstance(value, bytes) or not value:
        raise DamagedError(f"{keyword} is absent")
    return value


def _words(attributes: Attributes, keyword: str, length: int, bits: int) -> bytes:
    """The entries as 16-bit words. Those of 8 bits may be packed, two to a word."""
    data = _data(attributes, keyword)
    if len(data) >= 2 * length:
        return data[: 2 * length]
    if bits <= 8 and len(data) >= length:
        return bytes(byte for value in data[:length] for byte in (value, 0))
    raise DamagedError(f"{keyword} has {len(data)} bytes for {length} entries of {bits} bits")


def _expand(data: bytes, length: int, bits: int) -> bytes:
    """A segmented palette, written out. PS3.3 C.7.9.2: discrete, linear and indirect segments."""
    wide = bits > 8
    format, size = ("<H", 2) if wide else ("<B", 1)
    codes = [code for (code,) in struct.iter_unpack(format, data[: len(data) // size * size])]
    out: list[int] = []
    _run(codes, 0, len(codes), out, length, wide, nested=False)
    if len(out) != length:
        raise DamagedError(f"a segmented palette expands to {len(out)} entries instead of {length}")
    return struct.pack(f"<{length}H", *out)


def _run(codes: list[int], at: int, segments: int, out: list[int], length: int, wide: bool, *, nested: bool) -> None:
    """Append what up to `segments` segments from `at` on stand for."""
    while at + 2 <= len(codes) and segments and len(out) < length:
        kind, count = codes[at], codes[at + 1]
        if kind == 0:  # so many entries follow
            out += codes[at + 2 : at + 2 + count]
            at += 2 + count
        elif kind == 1 and out and at + 2 < len(codes):  # a line from the last entry to this one
            last, end = out[-1], codes[at + 2]
            out += [round(last + (end - last) * step / count) for step in range(1, count + 1)]
            at += 3
        elif kind == 2 and not nested and at + 2 + (2 if wide else 4) <= len(codes):  # segments at an offset again
            low = codes[at + 2 :]
            offset = low[0] | low[1] << 16 if wide else low[0] | low[1] << 8 | low[2] << 16 | low[3] << 24
            _run(codes, offset // (2 if wide else 1), count, out, length, wide, nested=True)
            at += 2 + (2 if wide else 4)
        else:
            raise DamagedError(f"a segmented palette has a bad segment of type {kind}")
        segments -= 1
