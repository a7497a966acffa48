"""Which bytes are which frame's: tables, fragments, and what is left without them."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.uid import JPEG2000Lossless, RLELossless

from volstream.errors import DamagedError
from volstream.headers.part10 import read_records

from .header_factory import ct, encoded

SOC = b"\xff\x4f\xff\x51"


def item(data: bytes) -> bytes:
    return b"\xfe\xff\x00\xe0" + struct.pack("<I", len(data)) + data


END = b"\xfe\xff\xdd\xe0\0\0\0\0"


def frames_of(pixel_data: bytes, count: int, **attributes: object) -> list[bytes]:
    data = encoded(ct(NumberOfFrames=count, PixelData=pixel_data, **attributes), JPEG2000Lossless)
    return [bytes(record.location) for record in read_records(data)]


@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=6), st.integers(1, 4), st.booleans())
def test_frames_come_back(bodies: list[bytes], fragments: int, has_table: bool) -> None:
    frames = [SOC + body + bytes((len(body)) % 2) + bytes(8) for body in bodies]
    data = encapsulate(frames, fragments_per_frame=fragments, has_bot=has_table)
    assert frames_of(data, len(frames)) == frames


def test_extended_offset_table_gives_exact_lengths() -> None:
    frames = [SOC + b"abc", SOC + b"d" * 9, SOC]
    data, table, _ = encapsulate_extended(frames)  # pads the first frame, and says so in its lengths
    lengths = struct.pack("<3Q", 7, 13, 4)
    assert frames_of(data, 3, ExtendedOffsetTable=table, ExtendedOffsetTableLengths=lengths) == frames


def test_a_wrong_extended_table_is_not_believed() -> None:
    table = struct.pack("<2Q", 0, 1 << 40)
    data = item(b"") + item(SOC + b"ab") + item(SOC + b"cd") + END
    assert frames_of(data, 2, ExtendedOffsetTable=table) == [SOC + b"ab", SOC + b"cd"]


def test_a_wrong_basic_table_is_not_believed() -> None:
    data = item(struct.pack("<2I", 0, 5)) + item(SOC + b"ab") + item(SOC + b"cd") + END
    assert frames_of(data, 2) == [SOC + b"ab", SOC + b"cd"]


def test_fragments_without_a_signature_are_one_frame_each() -> None:
    assert frames_of(item(b"") + item(b"ab") + item(b"cd") + END, 2) == [b"ab", b"cd"]


def test_an_empty_fragment_belongs_to_its_frame() -> None:
    assert frames_of(item(b"") + item(SOC) + item(b"") + item(SOC + b"cd") + END, 2) == [SOC, SOC + b"cd"]


@pytest.mark.parametrize(
    ("pixel_data", "count"),
    [
        (item(b"") + item(b"ab") + item(b"cd") + item(b"ef") + END, 2),
        (item(b"") + item(SOC) + item(b"cd") + END, 2),
        (item(b"") + item(SOC) + item(SOC) + item(SOC) + END, 2),
        (item(b"") + END, 1),
        (item(b"") + item(SOC) + b"\x10\x00\x10\x00" + bytes(8), 1),
    ],
)
def test_what_cannot_be_told_apart_is_refused(pixel_data: bytes, count: int) -> None:
    with pytest.raises(DamagedError, match="fragment"):
        frames_of(pixel_data, count)


def test_a_truncated_file_keeps_its_whole_frames(tmp_path: Path) -> None:
    whole = encapsulate([SOC + bytes([n]) * 20 for n in range(3)], fragments_per_frame=2, has_bot=False)
    data = encoded(ct(NumberOfFrames=3, PixelData=whole), JPEG2000Lossless)
    cut = data[: data.index(b"\2\2\2") - 40]
    first, second, third = read_records(cut)
    assert bytes(first.location) == SOC + b"\0" * 20
    assert (second.location, third.location) == (b"", b"")
    path = tmp_path / "cut.dcm"
    path.write_bytes(cut)
    assert [record.location.size for record in read_records(path)][1:] != [24, 24]


def test_uncompressed_frames_of_a_truncated_file_are_found_short(tmp_path: Path) -> None:
    path = tmp_path / "cut.dcm"
    path.write_bytes(encoded(ct(NumberOfFrames=2, PixelData=bytes(96)))[:-1])
    first, second = read_records(path)
    assert [sum(first.location.ranges[0]), sum(second.location.ranges[0])] == [
        path.stat().st_size - 47,
        path.stat().st_size + 1,
    ]


def test_bits_of_frames_follow_each_other() -> None:
    ds = ct(NumberOfFrames=3, Rows=3, Columns=3, BitsAllocated=1, BitsStored=1, HighBit=0, PixelRepresentation=0)
    ds.PixelData = b"\1\2\3\4"
    assert [bytes(record.location) for record in read_records(encoded(ds))] == [b"\1\2", b"\2\3", b"\3\4"]


def test_encapsulation_and_transfer_syntax_must_agree() -> None:
    native = encoded(ct())
    claimed = native.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0", 1)
    with pytest.raises(DamagedError, match="not encapsulated, as RLE Lossless must be"):
        read_records(claimed)
    fragments = encoded(ct(PixelData=encapsulate([b"ab"])), RLELossless)
    with pytest.raises(DamagedError, match="encapsulated, which Explicit VR Little Endian cannot be"):
        read_records(fragments.replace(b"1.2.840.10008.1.2.5\0", b"1.2.840.10008.1.2.1\0", 1))
