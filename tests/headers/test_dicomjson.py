"""DICOM JSON as servers send it."""

from __future__ import annotations

import base64
import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volstream.errors import DamagedError, ProtocolError, ResourceError, UnsupportedError, VolstreamError
from volstream.headers import dicomjson
from volstream.headers.dicomjson import parse_json, records_from_json
from volstream.headers.tags import TAGS
from volstream.records import FrameRecord

URL = "https://pacs.example/dicom-web/studies/1/series/2"


def instance(**elements: Any) -> dict[str, Any]:
    """A CT instance; elements are given as `t00280010=value`, a list, a ready element, or None to delete one."""
    values: dict[str, Any] = {
        "t00080016": "1.2.840.10008.5.1.4.1.1.2",
        "t00080018": "1.2.3",
        "t00080060": "CT",
        "t0020000E": "2",
        "t00280002": 1,
        "t00280004": "MONOCHROME2",
        "t00280010": 4,
        "t00280011": 6,
        "t00280100": 16,
        "t00280101": 12,
        "t00280102": 11,
        "t00280103": 1,
    } | elements
    return {
        tag[1:]: value
        if isinstance(value, dict)
        else {"vr": "??", "Value": value if isinstance(value, list) else [value]}
        for tag, value in values.items()
        if value is not None
    }


def read(instances: list[dict[str, Any]], base: str = URL) -> list[FrameRecord]:
    return records_from_json(parse_json(json.dumps(instances).encode()), base)


def one(base: str = URL, **elements: Any) -> Any:
    (record,) = read([instance(**elements)], base)
    return record


@pytest.mark.parametrize(
    "base",
    [
        URL,
        f"{URL}/",
        f"{URL}/metadata",
        f"{URL}/metadata?token=secret",
        f"{URL}/instances/1.2.3",
        f"{URL}/instances/1.2.3/metadata",
        "https://pacs.example/dicom-web/studies/1",
    ],
)
def test_frames_are_addressed_below_what_was_asked(base: str) -> None:
    records = read([instance(t00280008="2")], base)
    assert [record.address for record in records] == [f"wadors:{URL}/instances/1.2.3/frames/{n}" for n in (1, 2)]


@pytest.mark.parametrize(
    ("elements", "syntax"),
    [
        ({}, ""),
        ({"t00083002": "1.2.840.10008.1.2.4.201"}, "1.2.840.10008.1.2.4.201"),
        ({"t00083002": ["1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.1"]}, ""),
        ({"t00020010": "1.2.840.10008.1.2.5", "t00083002": "1.2.840.10008.1.2.1"}, "1.2.840.10008.1.2.5"),
    ],
)
def test_the_transfer_syntax_is_told_or_unknown(elements: dict[str, Any], syntax: str) -> None:
    assert one(**elements).transfer_syntax == syntax


def test_numbers_as_strings_nulls_and_missing_values_are_tolerated() -> None:
    record = one(
        t00280010="4",
        t00280100="16",
        t00281053=["2.5"],
        t00281052="-1024",
        t00200032=["1", "2.0", 3],
        t00200013={"vr": "IS"},
        t00180050={"vr": "DS", "Value": [None]},
        t00280120={"vr": "US", "Value": []},
        t00080008={"vr": "CS", "Value": ["ORIGINAL", None, "AXIAL"]},
        t0008103E={"vr": "LO", "Value": None},
    )
    assert (record.pixel.rows, record.pixel.bits_allocated) == (4, 16)
    assert (record.rescale.slope, record.rescale.intercept, record.rescale.type) == (2.5, -1024, "HU")
    assert record.position == (1, 2, 3)
    assert (record.instance_number, record.slice_thickness, record.padding) == (None, None, None)
    assert record.image_type == ("ORIGINAL", "", "AXIAL")


def test_texts_are_unicode_whatever_the_instance_was() -> None:
    assert one(t00080005="ISO_IR 100", t0008103E="Schädel").series.description == "Schädel"


def test_instances_without_pixels_are_left_out() -> None:
    report = instance(t00280010=None, t00280011=None)
    assert [record.uid for record in read([report, instance()])] == ["1.2.3"]


def test_pixels_without_a_size_are_damage() -> None:
    with pytest.raises(DamagedError, match="Rows is absent"):
        one(t00280010=None, t7FE00010={"vr": "OW", "BulkDataURI": "x"})


def test_modality_tables_come_inline_or_not_at_all() -> None:
    entries = bytes(range(8))
    table = {"00283002": {"vr": "US", "Value": [4, 0, 16]}, "00283004": {"vr": "LO", "Value": ["OD"]}}
    inline = table | {"00283006": {"vr": "OW", "InlineBinary": base64.b64encode(entries).decode()}}
    record = one(t00283000=inline_sequence(inline))
    assert (record.rescale.table.entries, record.rescale.type) == (entries, "OD")
    numbers = table | {"00283006": {"vr": "US", "Value": [256, 770, 1284, 1798]}}
    assert one(t00283000=inline_sequence(numbers)).rescale.table.entries == entries
    elsewhere = table | {"00283006": {"vr": "OW", "BulkDataURI": "bulk/1"}}
    with pytest.raises(UnsupportedError, match="LUTData is only to be had at bulk/1"):
        one(t00283000=inline_sequence(elsewhere))


def inline_sequence(item: dict[str, Any]) -> dict[str, Any]:
    return {"vr": "SQ", "Value": [item]}


@pytest.mark.parametrize("uid", ["../../secret", "1.2/3", "1.2%2f", "1" * 65, "", "1.2\n3"])
def test_what_is_no_uid_never_gets_into_an_address(uid: str) -> None:
    with pytest.raises(ProtocolError, match="is no UID"):
        one(t00080018=uid)


@pytest.mark.parametrize("data", [b"", b"[", b"3", b'"x"', b"[1]", b"\xff\xfe", b"[" * 100_000, b"<html>"])
def test_what_is_no_metadata_is_a_protocol_error(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_json(data, address=URL)


def test_metadata_beyond_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicomjson, "MOST_BYTES", 10)
    with pytest.raises(ResourceError, match="metadata of 11 bytes"):
        parse_json(b"[" + b" " * 9 + b"]")


def test_nesting_is_bounded() -> None:
    inner: dict[str, Any] = {}
    for _ in range(100):
        inner = {"52009229": {"vr": "SQ", "Value": [inner]}}
    with pytest.raises(ProtocolError, match="nested deeper than 64"):
        read([instance() | inner])


NASTY: list[Any] = [
    None, True, 0, -1, 1 << 70, 0.5, float("nan"), float("inf"), "", "x", "1\\2", "\ud800", [], [None], [[1]], [{}],
    ["1", 2, None], [1e308, 1e308, 1e308], {}, {"Value": [1]}, [{"00280010": {"Value": [1]}}], ["@@"],
]  # fmt: skip
elements = st.dictionaries(
    st.sampled_from([f"{tag:08X}" for tag, _ in TAGS.values()] + ["7FE00008", "7FE00009", "7FE00010"]),
    st.sampled_from(NASTY) | st.sampled_from(NASTY).map(lambda value: {"vr": "UN", "Value": value}),
    max_size=6,
)


@given(elements, st.sampled_from(NASTY))
def test_any_json_gives_records_or_an_error_of_ours(some: dict[str, Any], inline: Any) -> None:
    palette = {f"0028120{n}": {"InlineBinary": inline, "BulkDataURI": inline} for n in (1, 2, 3)}
    with contextlib.suppress(VolstreamError):
        assert isinstance(read([instance() | palette | some]), list)
