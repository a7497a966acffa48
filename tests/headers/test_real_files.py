"""Every real file against pydicom: records, the bytes of frames, and the same records by other ways."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.encaps import generate_frames

from volstream.errors import DamagedError, NotDicomError, VolstreamError
from volstream.headers.dataset import from_dataset
from volstream.headers.dicomjson import parse_json, records_from_json
from volstream.headers.part10 import read_records
from volstream.records import FrameRecord
from volstream.syntaxes import BIG_ENDIAN

DATA = os.environ.get("VOLSTREAM_TEST_DATA")
pytestmark = pytest.mark.skipif(not DATA, reason="VOLSTREAM_TEST_DATA is not set")

FOLDERS = sorted(path.name for path in Path(DATA, "dicom").iterdir()) if DATA else []
URL = "https://example.org/series/1"
MOST_FILES = 5  # of a folder; the small ones, which hold the odd files, are read whole

#: Files that must be refused, and the reason that is given.
REFUSED = {
    "badVR.dcm": "NumberOfFrames is '1A', not a number",
    "meta_missing_tsyntax.dcm": "Photometric Interpretation is absent",
    "nested_priv_SQ.dcm": "Photometric Interpretation is absent",
    "rtplan_truncated.dcm": "claims 976 bytes, 711 are left",
}


def files(folder: str) -> Iterator[Path]:
    found = sorted(path for path in Path(DATA, "dicom", folder).iterdir() if path.suffix not in (".json", ".txt"))
    yield from found if folder in ("pydicom_wheel", "fodicom_odd") else found[:: max(1, len(found) // MOST_FILES)]


def essence(records: list[FrameRecord]) -> list[tuple[object, ...]]:
    """What does not depend on how a record came."""
    return [
        (r.uid, r.frame, r.frames, r.series, r.pixel, r.position, r.orientation, r.spacing, r.slice_thickness,
         r.spacing_between_slices, r.rescale, r.padding, r.window, r.instance_number, r.image_type, r.labels)
        for r in records
    ]  # fmt: skip


def content(record: FrameRecord) -> bytes:
    with Path(record.location.path).open("rb") as file:
        parts = []
        for offset, length in record.location.ranges:
            file.seek(offset)
            parts.append(file.read(length))
    return b"".join(parts)


def check_attributes(record: FrameRecord, ds: pydicom.Dataset) -> None:
    """The fields that all frames have alike, straight from pydicom."""
    pixel = record.pixel
    assert (pixel.rows, pixel.columns, pixel.bits_allocated) == (ds.Rows, ds.Columns, ds.BitsAllocated)
    assert (pixel.samples_per_pixel, pixel.photometric) == (ds.SamplesPerPixel, ds.PhotometricInterpretation)
    if not pixel.is_float:
        assert (pixel.bits_stored, pixel.high_bit) == (ds.BitsStored, ds.HighBit)
        assert pixel.pixel_representation == ds.PixelRepresentation
    assert pixel.planar_configuration == (ds.get("PlanarConfiguration") or 0)
    assert record.uid == (ds.get("SOPInstanceUID") or ds.file_meta.MediaStorageSOPInstanceUID)
    assert record.series.series_uid == ds.get("SeriesInstanceUID", "")
    assert record.series.modality == ds.get("Modality", "")
    assert record.series.description == str(ds.get("SeriesDescription", "") or "").strip()
    assert record.position == (tuple(map(float, ds.get("ImagePositionPatient") or ())) or None)
    assert record.orientation == (tuple(map(float, ds.get("ImageOrientationPatient") or ())) or None)
    assert record.spacing == (tuple(map(float, ds.get("PixelSpacing") or ())) or None)
    assert record.slice_thickness == (None if ds.get("SliceThickness") in (None, "") else float(ds.SliceThickness))
    if "DoseGridScaling" not in ds and not ds.get("ModalityLUTSequence"):
        assert record.rescale.slope == float(ds.get("RescaleSlope", 1) or 1)
        assert record.rescale.intercept == float(ds.get("RescaleIntercept", 0) or 0)
    number = ds.get("InstanceNumber")
    assert record.instance_number == (None if number is None else int(number))
    for keyword in ("AcquisitionNumber", "EchoTime", "TriggerTime", "AcquisitionTime", "TemporalPositionIdentifier"):
        value = ds.get(keyword)
        assert dict(record.labels).get(keyword) == (None if value in (None, "") else value)


def check_frames(records: list[FrameRecord], ds: pydicom.Dataset, path: Path) -> None:
    if getattr(ds.file_meta.get("TransferSyntaxUID"), "is_encapsulated", False):
        expected = list(generate_frames(ds.PixelData, number_of_frames=len(records)))
    else:
        data = ds.PixelData
        size = records[0].pixel.frame_bytes
        bits = ds.Rows * ds.Columns * ds.SamplesPerPixel * ds.BitsAllocated
        word = 2 if records[0].transfer_syntax == BIG_ENDIAN else 1  # frames are located in whole words
        starts = [bits * n // (8 * word) * word for n in range(len(records))]
        ends = [-(-bits * (n + 1) // (8 * word)) * word for n in range(len(records))]
        expected = [data[start:end] for start, end in zip(starts, ends, strict=True)]
        assert size == (bits + 7) // 8 or ds.PhotometricInterpretation == "YBR_FULL_422"
    for record, wanted in zip(records, expected, strict=True):
        assert (
            bytes(record.location) if isinstance(record.location, (bytes, memoryview)) else content(record)
        ) == wanted


@pytest.mark.parametrize("folder", FOLDERS)
def test_records_agree_with_pydicom(folder: str) -> None:
    for path in files(folder):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ds = pydicom.dcmread(path, force=True)
            if path.name in REFUSED:
                with pytest.raises(DamagedError, match=REFUSED[path.name]):
                    read_records(path)
                continue
            if path.name == "no_meta.dcm":  # begins in the middle of an element
                with pytest.raises(NotDicomError):
                    read_records(path)
                continue
            records = read_records(path)
            if path.name == "MR_truncated.dcm":  # its one frame is found short when it is read
                assert len(content(records[0])) == 8130 < records[0].location.size == 8192
                continue
            if "PixelData" not in ds:
                assert records == [], path
                continue
            assert len(records) == int(ds.get("NumberOfFrames", 1) or 1), path
            if "SharedFunctionalGroupsSequence" not in ds:
                check_attributes(records[0], ds)
            check_frames(records, ds, path)
            assert essence(from_dataset(ds)) == essence(records), path
            if not ds.get("SOPInstanceUID") or 0xFFFEE000 in ds:  # pydicom takes a stray item for an element
                continue
            tree = ds.to_json_dict(bulk_data_threshold=1 << 30)
            try:
                del tree["7FE00010"]["InlineBinary"]
                assert essence(records_from_json(parse_json(json.dumps(tree).encode()), URL)) == essence(records), path
            except VolstreamError as error:
                raise AssertionError(path) from error
