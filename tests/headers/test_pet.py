"""What SUV are computed from, out of Part 10 files, DICOM JSON and datasets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from volstream.headers.dataset import from_dataset
from volstream.headers.dicomjson import parse_json, records_from_json
from volstream.headers.part10 import read_records
from volstream.records import Injection, PetInfo

from .header_factory import ct, encoded

URL = "https://pacs.example/studies/1/series/2"


def pet(**attributes: Any) -> Dataset:
    injection = Dataset()
    injection.RadionuclideTotalDose = "74000000"
    injection.RadionuclideHalfLife = "6586.2"
    injection.RadiopharmaceuticalStartTime = "093000.00"
    injection.RadiopharmaceuticalStartDateTime = "20240102093000.00"
    said: dict[str, Any] = {
        "Modality": "PT",
        "Units": "BQML",
        "CorrectedImage": ["DECY", "ATTN"],
        "DecayCorrection": "START",
        "SUVType": "BW",
        "PatientWeight": "70.5",
        "PatientSize": "1.75",
        "PatientSex": "F",
        "SeriesDate": "20240102",
        "SeriesTime": "103000",
        "AcquisitionDate": "20240102",
        "AcquisitionTime": "103000",
        "NumberOfSlices": 267,
        "TimezoneOffsetFromUTC": "+0100",
        "RadiopharmaceuticalInformationSequence": [injection],
    }
    ds = ct(**said)
    for keyword, value in attributes.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    return ds


def with_private(ds: Dataset, ge: str = "GEMS_PETD_01", philips: str = "Philips PET Private Group") -> Dataset:
    if ge:
        ds.add_new(0x00090010, "LO", ge)
    ds.add_new(0x0009100D, "DT", "20240102102500.00")
    if philips:
        ds.add_new(0x70530010, "LO", philips)
    ds.add_new(0x70531000, "DS", "0.000728")
    ds.add_new(0x70531009, "DS", "4.7")
    return ds


SAID = PetInfo(
    corrected=("DECY", "ATTN"),
    decay_correction="START",
    suv_type="BW",
    weight=70.5,
    size=1.75,
    sex="F",
    series_date="20240102",
    series_time="103000",
    timezone="+0100",
    injections=(Injection(74e6, 6586.2, "20240102093000.00", "093000.00"),),
    slices=267,
    acquisition_date="20240102",
)


def read(ds: Dataset, way: str) -> PetInfo | None:
    if way == "dataset":
        (record,) = from_dataset(ds)
    elif way == "json":
        text = json.dumps([ds.to_json_dict(bulk_data_threshold=1 << 20)]).encode()
        (record,) = records_from_json(parse_json(text), URL)
    else:
        (record,) = read_records(encoded(ds, ImplicitVRLittleEndian if way == "implicit" else ExplicitVRLittleEndian))
    return record.series.pet


WAYS = pytest.mark.parametrize("way", ["explicit", "implicit", "json", "dataset"])


@WAYS
def test_the_elements(way: str) -> None:
    assert read(pet(), way) == SAID


@WAYS
def test_other_modalities_have_none(way: str) -> None:
    assert read(pet(Modality="CT"), way) is None


@WAYS
def test_what_is_absent_or_damaged_is_none(way: str) -> None:
    """It must not keep a series from being loaded that nobody wants SUV of."""
    bare = pet(RadiopharmaceuticalInformationSequence=None, PatientWeight=None, SUVType=None)
    found = read(bare, way)
    assert found is not None
    assert (found.injections, found.weight, found.suv_type) == ((), None, "")
    if way == "explicit":
        damaged = encoded(pet()).replace(b"70.5", b"7o.5")
        (record,) = read_records(damaged)
        assert record.series.pet is not None
        assert record.series.pet.weight is None


@WAYS
def test_private_elements_of_ge_and_philips(way: str) -> None:
    found = read(with_private(pet()), way)
    assert found is not None
    assert (found.ge_scan_start, found.philips_suv, found.philips_activity) == ("20240102102500.00", 0.000728, 4.7)


@pytest.mark.parametrize(
    ("creator", "manufacturer", "has_ge", "has_philips"),
    [
        ("SOMEONE ELSE", "GE MEDICAL SYSTEMS", False, False),
        ("SOMEONE ELSE", "Philips", False, False),
        ("", "GE MEDICAL SYSTEMS", True, False),
        ("", "Philips Medical Systems", False, True),
        ("", "SIEMENS", False, False),
    ],
)
def test_a_private_block_is_its_creators(creator: str, manufacturer: str, has_ge: bool, has_philips: bool) -> None:
    """Where de-identification left no creator, it is the manufacturer's."""
    found = read(with_private(pet(Manufacturer=manufacturer), creator, creator), "json")
    assert found is not None
    assert bool(found.ge_scan_start) == has_ge
    assert (found.philips_suv is not None, found.philips_activity is not None) == (has_philips, has_philips)


def test_numbers_of_json_may_be_texts() -> None:
    (told,) = json.loads(json.dumps([pet().to_json_dict(bulk_data_threshold=1 << 20)]))
    told["00101030"]["Value"] = ["70.5"]
    told["00540016"]["Value"][0]["00181074"]["Value"] = ["7.4e7"]
    (record,) = records_from_json(parse_json(json.dumps([told]).encode()), URL)
    assert record.series.pet == SAID


def test_a_series_shares_one_object_up_to_midnight() -> None:
    first, second, third = (
        read_records(encoded(pet(SOPInstanceUID=f"1.2.{n}", AcquisitionDate=date)))[0].series
        for n, date in enumerate(("20240102", "20240102", "20240103"))
    )
    assert first is second
    assert first.pet is not None
    assert third.pet is not None
    assert (first.pet.acquisition_date, third.pet.acquisition_date) == ("20240102", "20240103")
