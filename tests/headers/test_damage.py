"""Damaged files: every truncation and any flipped bytes give records or an error of ours, never a crash or a hang."""

from __future__ import annotations

import contextlib
import os
import random
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from volstream.errors import DamagedError, NotDicomError, ResourceError, UnsupportedError, VolstreamError
from volstream.headers.part10 import read_records

from .header_factory import ct, encoded


def nested() -> Dataset:
    """Shared and per-frame groups of undefined length, a private block and an icon, before the pixels."""
    measures = Dataset()
    measures.PixelSpacing = [1, 2]
    measures.is_undefined_length_sequence_item = True
    group = Dataset()
    group.PixelMeasuresSequence = Sequence([measures])
    ds = ct(NumberOfFrames=2, PixelData=bytes(96), SharedFunctionalGroupsSequence=Sequence([group]))
    ds["SharedFunctionalGroupsSequence"].is_undefined_length = True
    ds.private_block(0x0029, "VOLSTREAM", create=True).add_new(0x10, "OB", b"abcd")
    return ds


FILES = {
    "explicit": encoded(nested()),
    "implicit": encoded(nested(), ImplicitVRLittleEndian),
    "big endian": encoded(nested(), ExplicitVRBigEndian),
    "deflated": encoded(nested(), DeflatedExplicitVRLittleEndian),
    "encapsulated": encoded(ct(NumberOfFrames=2, PixelData=encapsulate([b"\1\2", b"\3\4"])), RLELossless),
}


def attempt(data: bytes) -> None:
    with contextlib.suppress(VolstreamError):
        for record in read_records(data):
            assert record.pixel.rows > 0


@pytest.mark.parametrize("name", FILES)
def test_truncation_at_every_byte(name: str) -> None:
    data = FILES[name]
    for size in range(len(data)):
        attempt(data[:size])


@pytest.mark.parametrize("name", FILES)
@given(seed=st.integers(0, 1 << 32))
def test_flipped_bytes(name: str, seed: int) -> None:
    data, chance = bytearray(FILES[name]), random.Random(seed)
    for _ in range(chance.randint(1, 8)):
        data[chance.randrange(128, len(data))] = chance.choice([0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)])
    attempt(bytes(data))


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"Rows": None}, "Rows is absent"),
        ({"Columns": 0}, "Columns is 0"),
        ({"Rows": 5}, "48 bytes of pixel data where 1 frames of 60 bytes are 60"),
        ({"Rows": 1}, "48 bytes of pixel data where 1 frames of 12 bytes are 12"),
        ({"BitsStored": 17}, "BitsStored is 17"),
        ({"BitsStored": None}, "BitsStored is absent"),
        ({"HighBit": 16}, "HighBit is 16"),
        ({"HighBit": 5}, "HighBit is 5"),
        ({"BitsAllocated": 0}, "BitsAllocated is 0"),
        ({"BitsAllocated": 13}, "BitsAllocated is 13"),
        ({"PixelRepresentation": 2}, "PixelRepresentation is 2"),
        ({"SamplesPerPixel": 3}, "SamplesPerPixel is 3 in a MONOCHROME2 image"),
        ({"NumberOfFrames": -1}, "NumberOfFrames is -1"),
        ({"NumberOfFrames": 7}, "7 frames"),
        ({"RescaleSlope": 0}, "RescaleSlope is 0"),
        ({"ImagePositionPatient": [1, 2]}, "ImagePositionPatient has 2 values instead of 3"),
    ],
)
def test_contradictions_are_named(attributes: dict[str, object], message: str) -> None:
    with pytest.raises(DamagedError, match=message) as caught:
        read_records(encoded(ct(**attributes)), address="a.dcm")
    assert (caught.value.uid, caught.value.address) == ("1.2.3", "a.dcm")


@pytest.mark.parametrize("text", ["nan", "inf", "1_0", "1,5", "x", "1e999"])
def test_numbers_are_those_of_the_standard(text: str) -> None:
    ds = ct()
    ds["RescaleSlope"]._value = text  # past pydicom's own checks
    with pytest.raises(DamagedError, match=r"RescaleSlope is '.*', not a number"):
        read_records(encoded(ds))


def test_absurd_numbers_of_frames_are_refused() -> None:
    with pytest.raises(ResourceError, match="NumberOfFrames is 2147483647"):
        read_records(encoded(ct(NumberOfFrames=2147483647)))


def test_attributes_that_no_voxel_depends_on_may_be_damaged() -> None:
    ds = ct(InstanceNumber=1, SliceThickness=1)
    ds["InstanceNumber"]._value = "one"
    ds["SliceThickness"]._value = "thin"
    (record,) = read_records(encoded(ds))
    assert (record.instance_number, record.slice_thickness) == (None, None)


@pytest.mark.parametrize("bits", [12, 24, 40])
def test_legal_but_odd_pixels_are_unsupported(bits: int) -> None:
    with pytest.raises(UnsupportedError, match=f"pixels of {bits} bits"):
        read_records(encoded(ct(BitsAllocated=bits)))


def test_a_lying_length_is_named() -> None:
    data = encoded(ct())
    at = data.index(b"\x20\x00\x32\x00DS")
    with pytest.raises(DamagedError, match=r"\(0020,0032\) claims 65535 bytes"):
        read_records(data[: at + 6] + b"\xff\xff" + data[at + 8 :])


def test_group_lengths_are_not_believed() -> None:
    data = encoded(ct())
    at = data.index(b"\x02\x00\x00\x00UL") + 8
    lying = data[:at] + struct.pack("<I", 7) + data[at + 4 :]
    assert read_records(lying) == read_records(data)


def test_deep_nesting_is_refused() -> None:
    item = b"\x00\x52\x29\x92SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    data = encoded(ct())
    at = data.index(b"\xe0\x7f\x10\x00OW")
    with pytest.raises(DamagedError, match="nested deeper than 64"):
        read_records(data[:at] + item * 10_000)


def test_a_deflate_bomb_is_refused() -> None:
    data = FILES["deflated"]
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = engine.compress(bytes(64 << 20)) + engine.flush()
    start = data.index(b"1.2.840.10008.1.2.1.99") + 22
    with pytest.raises(ResourceError, match="grows beyond"):
        read_records(data[:start] + bomb)


def test_a_folder_a_pipe_and_a_missing_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("", "pipe", "missing"):
        with pytest.raises(VolstreamError) as caught:
            read_records(tmp_path / name)
        assert not isinstance(caught.value, NotDicomError)
        assert caught.value.address == str(tmp_path / name)
