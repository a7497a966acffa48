"""Modality LUTs and palettes."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.pixels.processing import _expand_segmented_lut
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from volstream.errors import DamagedError
from volstream.headers.part10 import read_records
from volstream.headers.tables import palette
from volstream.records import LookupTable

from .header_factory import ct, encoded

COLORS = ("Red", "Green", "Blue")


def modality(descriptor: list[int], data: bytes, vr: str = "US") -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", vr, descriptor)
    item.ModalityLUTType = "HU"
    item.add_new("LUTData", "OW", data)
    return ct(ModalityLUTSequence=Sequence([item]), RescaleSlope=None, RescaleIntercept=None)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_modality_tables_are_little_endian_words(syntax: str) -> None:
    words = np.array([1, 256, 65535], "<u2")
    stored = words.astype(">u2") if syntax == ExplicitVRBigEndian else words
    (record,) = read_records(encoded(modality([3, 0, 16], stored.tobytes()), syntax))
    assert record.rescale.table == LookupTable(0, words.tobytes(), 16)
    assert record.rescale.type == "HU"


@pytest.mark.parametrize(
    ("first", "vr", "representation", "found"),
    [(65535, "US", 1, -1), (-1, "SS", 1, -1), (65535, "US", 0, 65535), (-1, "SS", 0, 65535), (5, "US", 1, 5)],
)
def test_the_first_value_is_signed_as_the_pixels_are(first: int, vr: str, representation: int, found: int) -> None:
    ds = modality([2, first, 16], bytes(4), vr)
    ds.PixelRepresentation = representation
    assert read_records(encoded(ds))[0].rescale.table.first == found


def test_a_length_of_zero_is_65536() -> None:
    (record,) = read_records(encoded(modality([0, 0, 16], bytes(131072))))
    assert record.rescale.table.length == 65536


def test_entries_of_8_bits_may_be_packed() -> None:
    (record,) = read_records(encoded(modality([4, 0, 8], b"\1\2\3\4")))
    assert record.rescale.table.entries == b"\1\0\2\0\3\0\4\0"
    (record,) = read_records(encoded(modality([2, 0, 8], b"\1\0\2\0")))
    assert record.rescale.table.entries == b"\1\0\2\0"


@pytest.mark.parametrize(
    ("descriptor", "size", "message"),
    [
        ([3, 0, 16], 4, "LUTData has 4 bytes for 3 entries of 16 bits"),
        ([0, 0, 16], 6, "LUTData has 6 bytes for 65536 entries"),
        ([3, 0], 6, "LUTDescriptor has 2 values"),
        ([3, 0, 17], 6, "LUTDescriptor claims entries of 17 bits"),
    ],
)
def test_short_and_odd_tables_are_damage(descriptor: list[int], size: int, message: str) -> None:
    with pytest.raises(DamagedError, match=message):
        read_records(encoded(modality(descriptor, bytes(size))))


def palette_image(segmented: bool, data: dict[str, bytes], descriptor: list[int]) -> Dataset:
    ds = ct(PhotometricInterpretation="PALETTE COLOR", BitsAllocated=8, BitsStored=8, HighBit=7, PixelRepresentation=0)
    ds.PixelData = bytes(24)
    prefix = "Segmented" if segmented else ""
    for color in COLORS:
        ds.add_new(f"{color}PaletteColorLookupTableDescriptor", "US", descriptor)
        ds.add_new(f"{prefix}{color}PaletteColorLookupTableData", "OW", data[color])
    return ds


def test_palettes_are_three_tables() -> None:
    data = {color: struct.pack("<3H", n, n + 1, n + 2) for n, color in enumerate(COLORS)}
    (record,) = read_records(encoded(palette_image(False, data, [3, 7, 16])))
    assert record.pixel.palette == LookupTable(7, b"".join(data.values()), 16, 3)
    assert record.pixel.palette.length == 3


def test_palettes_whose_channels_differ_are_damage() -> None:
    ds = palette_image(False, dict.fromkeys(COLORS, bytes(6)), [3, 0, 16])
    ds.BluePaletteColorLookupTableDescriptor = [2, 0, 16]
    with pytest.raises(DamagedError, match="channels differ"):
        read_records(encoded(ds))


def test_an_absent_palette_is_damage() -> None:
    with pytest.raises(DamagedError, match="RedPaletteColorLookupTableDescriptor has 0 values"):
        read_records(encoded(ct(PhotometricInterpretation="PALETTE COLOR")))


discrete = st.lists(st.integers(0, 255), min_size=1, max_size=5).map(lambda v: [0, len(v), *v])
linear = st.tuples(st.integers(1, 9), st.integers(0, 255)).map(lambda v: [1, *v])


@pytest.mark.parametrize("bits", [8, 16])
@given(st.lists(discrete | linear, max_size=4), discrete)
def test_segmented_palettes_expand_as_in_pydicom(bits: int, more: list[list[int]], start: list[int]) -> None:
    codes = [*start, *(code for segment in more for code in segment)]
    expected = _expand_segmented_lut(tuple(codes), "<H" if bits == 16 else "<B")
    raw = struct.pack(f"<{len(codes)}{'H' if bits == 16 else 'B'}", *codes)
    attributes = {f"{color}PaletteColorLookupTableDescriptor": (len(expected), 0, bits) for color in COLORS}
    attributes |= {f"Segmented{color}PaletteColorLookupTableData": raw for color in COLORS}
    table = palette(attributes)
    found = np.frombuffer(table.entries, "<u2").reshape(3, -1)
    # Where a line's points fall between two values, roundings differ by one.
    assert np.abs(found - np.array(expected)).max() <= 1


def test_an_indirect_segment_repeats_earlier_ones() -> None:
    codes = [0, 2, 10, 20, 1, 2, 40, 2, 2, 0, 0]  # discrete, linear, then both again
    data = dict.fromkeys(COLORS, struct.pack("<11H", *codes))
    (record,) = read_records(encoded(palette_image(True, data, [8, 0, 16])))
    assert np.frombuffer(record.pixel.palette.entries, "<u2")[:8].tolist() == [10, 20, 30, 40, 10, 20, 30, 40]


@pytest.mark.parametrize(
    "codes", [[1, 2, 3], [3, 1, 1], [0, 2, 1], [0, 1, 1, 2, 1, 5, 0], [0, 1, 1, 2, 9, 3, 0], [0, 9, 1], []]
)
def test_bad_segments_are_damage(codes: list[int]) -> None:
    data = dict.fromkeys(COLORS, struct.pack(f"<{len(codes)}H", *codes) or b"\0\0")
    with pytest.raises(DamagedError, match="segmented palette"):
        read_records(encoded(palette_image(True, data, [4, 0, 16])))
