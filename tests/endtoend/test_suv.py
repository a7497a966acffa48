"""PET in standardised uptake values, from header to voxel: generated series over both transports, and real ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

import volstream
from dicomfactory import case
from plan.petseries import factor_of, pet_series
from volstream.errors import DamagedError, UnsupportedError, UsageError
from volstream.records import Injection
from volstream.samples import write_series
from volstream.server.background import serve


@pytest.mark.parametrize("transport", ["files", "dicomweb"])
def test_samples_meet_their_truth(transport: str, tmp_path: Path) -> None:
    truth = write_series(tmp_path, "pet", slices=7, rows=40, columns=48)
    assert truth.suv_factor is not None
    if transport == "files":
        volume = volstream.load(tmp_path, units="SUVbw")
    else:
        with serve(tmp_path) as server:
            volume = volstream.load(server.series[0], units="SUVbw")
    with volume:
        assert (volume.units, volume.dtype) == ("SUVbw", np.float32)
        assert [finding.kind for finding in volume.geometry.findings] == ["suv", "slopes"]
        np.testing.assert_allclose(volume.array, truth.array * truth.suv_factor, rtol=1e-6)
        with volstream.attach(volume.name) as attached:
            assert attached.units == "SUVbw"
            assert attached.geometry.findings[0] == volume.geometry.findings[0]


def test_without_units_the_samples_are_bqml(tmp_path: Path) -> None:
    truth = write_series(tmp_path, "pet", slices=3, rows=40, columns=48)
    with volstream.load(tmp_path) as volume:
        assert volume.units == "BQML"
        np.testing.assert_array_equal(volume.array, truth.array)


def test_defect_13_fractions_survive(tmp_path: Path) -> None:
    """Slope 0.5 and factor 0.02 of stored 0, 1, 2, 3, 100: a viewer made 0, 0, 0, 0, 1 of them."""
    for path in write_series(tmp_path, "pet", slices=2, rows=1, columns=5).files:
        image = pydicom.dcmread(path)
        image.PixelData = np.array([0, 1, 2, 3, 100], "<u2").tobytes()
        image.RescaleSlope, image.DecayCorrection, image.PatientWeight = "0.5", "ADMIN", "10"
        image.RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose = "500000"
        image.save_as(path)
    with volstream.load(tmp_path, units="SUVbw") as volume:
        np.testing.assert_allclose(volume.array, np.tile([0, 0.01, 0.02, 0.03, 1], (2, 1, 1)), rtol=1e-6)


def test_an_error_names_the_instance(tmp_path: Path) -> None:
    case("plain", tmp_path)
    with pytest.raises(UnsupportedError, match="Modality is CT") as caught:
        volstream.load(tmp_path, units="SUVbw")
    assert caught.value.uid
    assert str(tmp_path) in str(caught.value.address)


def test_images_keep_the_units_that_they_were_loaded_in(tmp_path: Path) -> None:
    """A cached image is told by its id alone, so it may be in other units than a volume that wants it."""
    truth = write_series(tmp_path, "pet", slices=3, rows=8, columns=9)
    ids = [f"dicomfile:{path}" for path in truth.files]
    assert truth.suv_factor is not None
    wanted = {"BQML": truth.array, "SUVbw": truth.array * truth.suv_factor}

    def check(volume: volstream.Volume, units: str) -> None:
        volume.load().wait()
        assert volume.units == units
        np.testing.assert_allclose(volume.array, wanted[units], rtol=1e-6)

    for units, other, options, others in (
        ("BQML", "SUVbw", {}, {"units": "SUVbw"}),
        ("SUVbw", "BQML", {"units": "SUVbw"}, {}),
    ):
        images = [volstream.load_image(each, **options) for each in ids]
        assert {image.units for image in images} == {image.header().series.units for image in images} == {units}
        check(volstream.create_volume("cornerstoneStreamingImageVolume:other", ids, **others), other)
        check(volstream.volume_from_images("cornerstoneStreamingImageVolume:same", images), units)
        if others:
            with pytest.raises(UsageError, match=units):
                volstream.volume_from_images("cornerstoneStreamingImageVolume:not", images, **others)
        volstream.cache.purge()
    with volstream.load(ids, prefetch=False, units="SUVbw") as volume:
        assert volume.units == "SUVbw"
        np.testing.assert_allclose(volume.array, wanted["SUVbw"], rtol=1e-6)


@pytest.mark.parametrize("name", ["0_0", "1_0", "2_0", "2_4", "3_3", "4_0"])
def test_digital_reference_objects(name: str, test_data: Path) -> None:
    """Of the image biomarker standardisation initiative: spheres of SUVbw 4 and 0.2 in a body of 1."""
    with volstream.load(test_data / "dicom" / f"pet_suv_dro_{name}", units="SUVbw") as volume:
        inside = volume.array[volume.array > 0]
        assert (volume.array.min(), volume.dtype) == (0, np.float32)
        told = (inside.max(), inside.min(), np.median(inside))
        np.testing.assert_allclose(told, (4, 0.2, 1), rtol=2e-4)


def test_a_dose_in_mbq_is_refused(test_data: Path) -> None:
    """368 would be MBq, but 10 might be mCi as well: whoever knows can correct the header."""
    with pytest.raises(DamagedError, match=r"RadionuclideTotalDose is 368\.08 Bq"):
        volstream.load(test_data / "dicom" / "pet_suv_dro_3_0", units="SUVbw")


#: Of four scanners' headers: weight in g, dose in Bq, half life and time from injection to scan in s, worked out here
#: from the elements; for counts, Philips' own factor.
SCANNERS = {
    "SIEMENS": 67_000 / (374e6 * 2 ** (-8264 / 6586.2)),  # 08:30:45 to 10:48:29
    "PHILIPS_BQML": 64_000 / (126e6 * 2 ** (-3657 / 6586.199707)),  # 10:00:58 to 11:01:55
    "PHILIPS_CNTS_AND_SUV": 0.000728,
    "RADIOPHARM_DATETIME_UNDEFINED": 102_000 / (412e6 * 2 ** (-3871.843 / 6586.2)),  # 12:50:00 to 13:54:31.843
}


@pytest.mark.parametrize("name", SCANNERS)
def test_headers_of_scanners(name: str, test_data: Path) -> None:
    path = test_data / "dicom" / "petmeta_calc_suv" / f"{name}-instances.json"
    factor = factor_of([record_of(said, n) for n, said in enumerate(json.loads(path.read_text()))])
    assert factor == pytest.approx(SCANNERS[name], rel=1e-6)


def record_of(said: dict[str, Any], n: int) -> Any:
    injection = Injection(
        said["RadionuclideTotalDose"],
        said["RadionuclideHalfLife"],
        said.get("RadiopharmaceuticalStartDateTime", "").strip(),
        said["RadiopharmaceuticalStartTime"],
    )
    scale = said["PhilipsPETPrivateGroup"].get("SUVScaleFactor")
    record = pet_series(
        3,
        units=said["Units"],
        times=(said["AcquisitionTime"],),
        corrected=tuple(said["CorrectedImage"]),
        decay_correction=said["DecayCorrection"],
        weight=said["PatientWeight"],
        size=None,
        series_date=said["SeriesDate"],
        series_time=said["SeriesTime"],
        acquisition_date=said["AcquisitionDate"],
        injections=(injection,),
        philips_suv=scale and float(scale),
    )[n]
    return replace(record, instance_number=n + 1)
