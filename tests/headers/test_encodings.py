"""Random datasets, written by pydicom in every encoding, give the records that their attributes say."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from volstream.headers.dataset import from_dataset
from volstream.headers.dicomjson import parse_json, records_from_json
from volstream.headers.part10 import read_records
from volstream.records import FrameRecord
from volstream.syntaxes import BIG_ENDIAN, EXPLICIT, IMPLICIT

from .header_factory import ct, encoded

SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]

decimals = st.floats(-1e4, 1e4, allow_nan=False).map(lambda value: round(value, 4))
words = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_ ", min_size=1, max_size=16).filter(
    lambda text: text.strip() != ""
)
attributes = st.fixed_dictionaries(
    {},
    optional={
        "ImageType": st.lists(words, min_size=2, max_size=4),
        "SeriesDescription": words,
        "AcquisitionTime": st.sampled_from(["120000", "235959.123456"]),
        "EchoTime": decimals,
        "InstanceNumber": st.integers(-(1 << 31), (1 << 31) - 1),
        "ImagePositionPatient": st.lists(decimals, min_size=3, max_size=3),
        "RescaleIntercept": decimals,
        "WindowCenter": st.lists(decimals, min_size=1, max_size=3),
        "WindowWidth": decimals,
        "PixelPaddingValue": st.integers(-(1 << 15), (1 << 15) - 1),
        "DiffusionBValue": st.floats(0, 1e4),
        "DimensionIndexValues": st.lists(st.integers(0, (1 << 32) - 1), min_size=1, max_size=4),
    },
)


@st.composite
def noise(draw: st.DrawFn) -> Dataset:
    """Elements and sequences that records do not need, nested, of defined and undefined length."""
    ds = Dataset()
    if draw(st.booleans()):
        ds.private_block(0x0009, "VOLSTREAM", create=True).add_new(1, draw(st.sampled_from(["OB", "UN"])), bytes(6))
    for keyword in draw(st.sets(st.sampled_from(["ReferencedImageSequence", "IconImageSequence"]))):
        inner = [draw(noise()) for _ in range(draw(st.integers(0, 2)))]
        for item in inner:
            item.is_undefined_length_sequence_item = draw(st.booleans())
            item.Rows = 99  # must not be taken for the image's
        setattr(ds, keyword, Sequence(inner))
        ds[keyword].is_undefined_length = draw(st.booleans())
    return ds


@settings(max_examples=60)
@given(attributes, noise(), st.sampled_from(SYNTAXES))
def test_records_say_what_the_dataset_says(values: dict[str, Any], other: Dataset, syntax: str) -> None:
    ds = ct(**values)
    ds.update(other)
    ds.file_meta = None
    (record,) = read_records(encoded(ds, syntax))
    assert (record.pixel.rows, record.pixel.columns) == (4, 6)
    assert record.image_type == tuple(text.strip() for text in values.get("ImageType", ()))
    assert record.series.description == values.get("SeriesDescription", "").strip()
    assert record.instance_number == values.get("InstanceNumber")
    assert record.position == tuple(values.get("ImagePositionPatient", ct().ImagePositionPatient))
    assert record.rescale.intercept == values.get("RescaleIntercept", -1024)
    if "WindowCenter" in values and "WindowWidth" in values:
        assert record.window == (values["WindowCenter"][0], values["WindowWidth"])
    padding = values.get("PixelPaddingValue")
    assert record.padding == (None if padding is None else (padding, padding))
    labels = dict(record.labels)
    for keyword in ("EchoTime", "AcquisitionTime", "DiffusionBValue"):
        assert labels.get(keyword) == values.get(keyword)
    index = values.get("DimensionIndexValues", [])
    assert str(labels.get("DimensionIndexValues", "")) == "\\".join(map(str, index))


def alike(records: list[FrameRecord], others: list[FrameRecord]) -> bool:
    """Equal but for where they come from."""
    plain = [
        [
            tuple(
                getattr(record, name)
                for name in FrameRecord.__slots__
                if name not in ("address", "transfer_syntax", "location")
            )
            for record in side
        ]
        for side in (records, others)
    ]
    return plain[0] == plain[1]


@given(attributes)
def test_json_and_datasets_give_the_same_records(values: dict[str, Any]) -> None:
    ds = ct(**values)
    records = read_records(encoded(ds))
    data = json.dumps([ds.to_json_dict()]).encode()
    assert alike(records_from_json(parse_json(data), "https://example.org/studies/1/series/2"), records)
    assert alike(from_dataset(ds), records)
    assert bytes(from_dataset(ds)[0].location) == ds.PixelData


@pytest.mark.parametrize(
    ("written", "found"),
    [(ExplicitVRLittleEndian, EXPLICIT), (ImplicitVRLittleEndian, IMPLICIT), (ExplicitVRBigEndian, BIG_ENDIAN)],
)
@pytest.mark.parametrize("claimed", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, None])
def test_file_meta_information_may_be_wrong_or_absent(written: str, found: str, claimed: str | None) -> None:
    def split(syntax: str) -> tuple[bytes, bytes]:
        data = encoded(ct(), syntax)
        at = data.index(b"\x00\x08\x00\x16" if syntax == ExplicitVRBigEndian else b"\x08\x00\x16\x00")
        return data[:at], data[at:]

    forged = (b"" if claimed is None else split(claimed)[0]) + split(written)[1]
    (record,) = read_records(forged)
    assert record.transfer_syntax == found
    assert record.position == (-1.5, 2, 3.25)


def test_eight_bit_pixels_have_no_byte_order() -> None:
    ds = ct(BitsAllocated=8, BitsStored=8, HighBit=7, PixelRepresentation=0)
    ds.PixelData = np.arange(24, dtype="u1").tobytes()
    data = encoded(ds, ExplicitVRBigEndian)
    assert read_records(data)[0].transfer_syntax == BIG_ENDIAN
    assert read_records(data.replace(b"\x7f\xe0\x00\x10OW", b"\x7f\xe0\x00\x10OB"))[0].transfer_syntax == EXPLICIT


def test_un_sequences_are_implicit_little_endian() -> None:
    measures = Dataset()
    measures.PixelSpacing = [3, 4]
    group = Dataset()
    group.PixelMeasuresSequence = Sequence([measures])
    ds = ct(SharedFunctionalGroupsSequence=Sequence([group]), PixelSpacing=None)
    implicit = encoded(ds, ImplicitVRLittleEndian)
    start = implicit.index(b"\x00\x52\x29\x92") + 8
    sequence = implicit[start : implicit.index(b"\xe0\x7f\x10\x00")]
    explicit = encoded(ct(PixelSpacing=None))
    at = explicit.index(b"\xe0\x7f\x10\x00")
    for length in (len(sequence).to_bytes(4, "little"), b"\xff\xff\xff\xff"):
        tail = b"\xfe\xff\xdd\xe0\0\0\0\0" if length == b"\xff\xff\xff\xff" else b""
        element = b"\x00\x52\x29\x92UN\0\0" + length + sequence + tail
        (record,) = read_records(explicit[:at] + element + explicit[at:])
        assert record.spacing == (3, 4)


def test_what_the_native_reader_leaves_is_read_by_pydicom(caplog: pytest.LogCaptureFixture) -> None:
    data = encoded(ct(SeriesDescription="x" * 6))
    at = data.index(b"\x08\x00\x3e\x10LO")
    odd = data[: at + 4] + b"\x06\0\0\0" + data[at + 8 :]  # one element in implicit VR
    with caplog.at_level("DEBUG", "volstream"):
        (record,) = read_records(odd, address="odd.dcm")
    assert record.address == "dicomfile:odd.dcm"
    assert record.series.description == "xxxxxx"
    assert bytes(record.location) == ct().PixelData
    assert "left to pydicom" in caplog.text


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ("ISO_IR 192", "Schädel µ"),
        ("ISO_IR 100", "Schädel"),
        ("ISO_IR 144", "Череп"),
        ("GB18030", "头"),
        (["ISO 2022 IR 6", "ISO 2022 IR 87"], "頭部"),
    ],
)
def test_texts_follow_their_character_set(names: str | list[str], text: str) -> None:
    (record,) = read_records(encoded(ct(SpecificCharacterSet=names, SeriesDescription=text)))
    assert record.series.description == text


def test_equal_headers_share_their_parts() -> None:
    one, two = (read_records(encoded(ct(SOPInstanceUID=uid)))[0] for uid in ("1.2", "1.3"))
    assert one.series is two.series
    assert one.pixel is two.pixel
    assert one.rescale is two.rescale
