"""Part 10 headers to records."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from volstream.errors import DamagedError, SourceError
from volstream.headers.part10 import read_records

from .header_factory import ct, encoded


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_every_byte_order_gives_the_same_record(syntax: str) -> None:
    (record,) = read_records(encoded(ct(), syntax), address="one.dcm")
    assert record.address == "dicomfile:one.dcm"
    assert record.uid == "1.2.3"
    assert record.transfer_syntax == syntax
    assert (record.pixel.rows, record.pixel.columns, record.pixel.bits_stored) == (4, 6, 12)
    assert record.position == (-1.5, 2, 3.25)
    assert record.spacing == (0.5, 0.75)
    assert (record.rescale.slope, record.rescale.intercept, record.rescale.type) == (1, -1024, "HU")
    order = ">i2" if syntax == ExplicitVRBigEndian else "<i2"
    assert np.frombuffer(record.location, order).tolist() == list(range(24))


def test_a_file_is_referred_to_by_range(tmp_path: Path) -> None:
    path = tmp_path / "one.dcm"
    path.write_bytes(encoded(ct()))
    (record,) = read_records(path)
    assert record.location.path == str(path)
    ((offset, length),) = record.location.ranges
    assert path.read_bytes()[offset : offset + length] == np.arange(24, dtype="<i2").tobytes()


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda data: memoryview(np.frombuffer(data, "<u2"))])
def test_any_bytes_will_do_and_are_not_copied(kind: Callable[[bytes], bytes]) -> None:
    data = encoded(ct())
    (record,) = read_records(kind(data + bytes(len(data) % 2)))
    assert isinstance(record.location, memoryview)
    assert bytes(record.location) == ct().PixelData


@pytest.mark.parametrize("data", [b"", b"x", b"\x89PNG\r\n\x1a\n" * 40, bytes(400), b"PK\x03\x04" * 100])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(SourceError, match="not a DICOM file") as caught:
        read_records(data, address="other")
    assert caught.value.address == "other"


def test_a_header_that_contradicts_itself_names_the_instance() -> None:
    with pytest.raises(DamagedError, match="Rows is 0") as caught:
        read_records(encoded(ct(Rows=0)), address="one.dcm")
    assert (caught.value.uid, caught.value.address) == ("1.2.3", "one.dcm")
