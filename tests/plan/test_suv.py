"""Standardised uptake values: the factor, worked out by hand beside each case, and what is refused instead."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plan.petseries import HALF_LIFE, INJECTION, converted, factor_of, pet_series, said_of
from plan.series import make_series
from volstream.errors import DamagedError, UnsupportedError, UsageError
from volstream.plan import PlanOptions, build_plan
from volstream.records import FrameRecord, LookupTable, PixelFormat, Rescale

#: 70 kg in g over 74 MBq, one hour before the scan.
START = 70_000 / (74e6 * 2 ** (-3600 / HALF_LIFE))
ADMIN = 70_000 / 74e6


def test_without_units_nothing_changes() -> None:
    plan = build_plan(pet_series(rescale=Rescale(2.0, 0.0)))
    assert (plan.units, plan.dtype, plan.slots[0].rescale) == ("BQML", np.int32, Rescale(2.0, 0.0))
    assert plan.geometry.findings == ()


def test_units_dtype_and_finding() -> None:
    plan = build_plan(pet_series(), PlanOptions(units="SUVbw"))
    assert (plan.units, plan.dtype, plan.metadata["units"]) == ("SUVbw", np.float32, "SUVbw")
    (finding,) = plan.geometry.findings
    assert finding.kind == "suv"
    for origin in (
        "BQML", "70 kg", "74 MBq", "START", "2024-01-02 09:30:00 (RadiopharmaceuticalStartDateTime)", "6586.2 s",
        "2024-01-02 10:30:00 (SeriesDate and SeriesTime)", f"{START:.7g}",
    ):  # fmt: skip
        assert origin in finding.message


@pytest.mark.parametrize("units", ["SUVBW", "BQML", "suv", ""])
def test_other_units_are_wrong_use(units: str) -> None:
    with pytest.raises(UsageError, match=r"SUVlbm\(Janma\)"):
        PlanOptions(units=units)


def test_defect_20_decay_correction_decides_and_two_beds_have_one_factor() -> None:
    """A viewer's library gave START, ADMIN and NONE the same factor, and each bed its own."""
    assert factor_of(pet_series()) == pytest.approx(START, rel=1e-12)
    assert factor_of(pet_series(decay_correction="ADMIN")) == pytest.approx(ADMIN, rel=1e-12)
    with pytest.raises(UnsupportedError, match="NONE") as caught:
        factor_of(pet_series(decay_correction="NONE"))
    assert caught.value.uid == "1.2.3.1"
    beds = pet_series(6, times=("103000", "103000", "103000", "104500", "104500", "104500"))
    assert factor_of(beds) == pytest.approx(START, rel=1e-12)


def test_defect_13_fractions_survive() -> None:
    """A viewer chose the type before it knew the factor: 0, 1, 2, 3, 100 became 0, 0, 0, 0, 1. The voxels are tested
    end to end."""
    records = pet_series(decay_correction="ADMIN", weight=10.0, injection={"dose": 5e5}, rescale=Rescale(0.5, 0.0))
    plan = build_plan(records, PlanOptions(units="SUVbw"))
    assert plan.dtype == np.float32
    assert plan.slots[0].rescale.slope == pytest.approx(0.01)


def test_slope_and_intercept_are_each_slice_its_own() -> None:
    records = [replace(r, rescale=Rescale(n + 1.0, n - 3.0)) for n, r in enumerate(pet_series(4))]
    plan = build_plan(records, PlanOptions(units="SUVbw"))
    for n, slot in enumerate(plan.slots):
        assert slot.rescale.slope == pytest.approx((n + 1) * START)
        assert slot.rescale.intercept == pytest.approx((n - 3) * START)


def test_what_is_given_in_rescaled_values_goes_with_them() -> None:
    records = [replace(record, window=(500.0, 1000.0), padding=(10, 10)) for record in pet_series()]
    plan = build_plan(records, PlanOptions(units="SUVbw"))
    assert plan.metadata["window"] == pytest.approx([500 * START, 1000 * START])
    assert plan.fill == pytest.approx(10 * 0.5 * START)


def test_dtype_of_the_caller() -> None:
    assert build_plan(pet_series(), PlanOptions(units="SUVbw", dtype="float64")).dtype == np.float64
    with pytest.raises(UsageError, match="fractions"):
        build_plan(pet_series(), PlanOptions(units="SUVbw", dtype="int16"))
    wide = [replace(r, pixel=PixelFormat(24, 32, 64, 64, 63, is_float=True)) for r in pet_series()]
    assert build_plan(wide, PlanOptions(units="SUVbw")).dtype == np.float64


#: A man and a woman of 70 kg and 1.75 m, by the formulas of PS3.16 CID 85: g, or cm2 for SUVbsa.
MEASURES = {
    "SUVbw": (70_000, 70_000),
    "SUVlbm": (57_800, 51_220),  # 77 - 120 * 0.16; 74.9 - 148 * 0.16
    "SUVlbm(James128)": (56_520, 51_220),  # 77 - 128 * 0.16
    "SUVlbm(Janma)": (55_857.1, 45_197.0),  # 648900 / (6680 + 216 * 22.857142); / (8780 + 244 * 22.857142)
    "SUVbsa": (18_481.4, 18_481.4),  # 6.08368 * 42.28658 * 71.84
    "SUVibw": (72_380, 66_430),  # 48 + 1.06 * 23; 45.5 + 0.91 * 23
}


@pytest.mark.parametrize("units", MEASURES)
@pytest.mark.parametrize("sex", ["M", "F"])
def test_body_measures(units: str, sex: str) -> None:
    measure = MEASURES[units][sex == "F"]
    records = pet_series(sex=sex, decay_correction="ADMIN")
    assert factor_of(records, units) == pytest.approx(measure / 74e6, rel=1e-4)
    assert build_plan(records, PlanOptions(units=units)).units == units


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(list(MEASURES)), st.floats(40, 120), st.floats(1.4, 2.1), st.sampled_from("FM"))
def test_every_suv_is_the_same_share_of_suvbw_whatever_is_stored(
    units: str, weight: float, size: float, sex: str
) -> None:
    """Of values that are SUVbw already the others follow by the patient alone."""
    patient: dict[str, Any] = {"weight": weight, "size": size, "sex": sex}
    activity = pet_series(**patient)
    ratio = factor_of(activity, units) / factor_of(activity)
    assert factor_of(pet_series(units="GML", **patient), units) == pytest.approx(ratio, rel=1e-9)
    counts = pet_series(units="CNTS", philips_suv=0.0007, **patient)
    assert factor_of(counts, units) == pytest.approx(0.0007 * ratio, rel=1e-9)


@pytest.mark.parametrize(
    ("units", "suv_type", "is_of"),
    [
        ("GML", "", "SUVbw"),
        ("GML", "BW", "SUVbw"),
        ("GML", "LBM", "SUVlbm"),
        ("GML", "LBMJAMES128", "SUVlbm(James128)"),
        ("GML", "LBMJANMA", "SUVlbm(Janma)"),
        ("GML", "IBW", "SUVibw"),
        ("CM2ML", "", "SUVbsa"),
        ("CM2ML", "BSA", "SUVbsa"),
    ],
)
def test_values_that_are_suv_already(units: str, suv_type: str, is_of: str) -> None:
    needless: dict[str, Any] = {"weight": None, "size": None, "sex": "", "injections": ()}
    assert factor_of(pet_series(units=units, suv_type=suv_type, **needless), is_of) == 1
    records = pet_series(units=units, suv_type=suv_type)
    assert factor_of(records) == pytest.approx(70_000 / MEASURES[is_of][0], rel=1e-4)
    assert build_plan(records, PlanOptions(units=is_of)).dtype == np.float32


@pytest.mark.parametrize(("units", "suv_type"), [("GML", "BSA"), ("CM2ML", "BW"), ("GML", "SUL")])
def test_a_type_that_is_none_of_its_units(units: str, suv_type: str) -> None:
    with pytest.raises(UnsupportedError, match=f"SUVType is {suv_type}"):
        factor_of(pet_series(units=units, suv_type=suv_type))


def test_counts_of_philips() -> None:
    assert factor_of(pet_series(units="CNTS", philips_suv=0.000728, injections=(), weight=None)) == 0.000728
    assert factor_of(pet_series(units="CNTS", philips_activity=4.7)) == pytest.approx(4.7 * START)
    both = pet_series(units="CNTS", philips_suv=0.000728, philips_activity=4.7)
    assert factor_of(both) == 0.000728
    # 0 is how Philips says that it has none.
    assert factor_of(pet_series(units="CNTS", philips_suv=0.0, philips_activity=4.7)) == pytest.approx(4.7 * START)
    for scale in (None, 0.0):
        with pytest.raises(UnsupportedError, match=r"\(7053,1000\) nor .*\(7053,1009\)"):
            factor_of(pet_series(units="CNTS", philips_suv=scale, philips_activity=scale))
    with pytest.raises(DamagedError, match=r"-0\.0007"):
        factor_of(pet_series(units="CNTS", philips_suv=-0.0007))
    # Of Bq/ml they change nothing.
    assert factor_of(pet_series(philips_suv=0.003, philips_activity=4.7)) == pytest.approx(START)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"units": ""}, "Units are absent"),
        ({"units": "PROPCPS"}, "Units are PROPCPS"),
        ({"corrected": ("DECY",)}, "ATTN, which CorrectedImage"),
        ({"corrected": ("ATTN",)}, "DECY, which CorrectedImage"),
        ({"corrected": ()}, "ATTN and DECY, which CorrectedImage"),
        ({"decay_correction": ""}, "DecayCorrection START or ADMIN, it is absent"),
        ({"weight": None}, "PatientWeight is absent"),
        ({"injections": ()}, "RadiopharmaceuticalInformationSequence is absent"),
        ({"injection": {"dose": None}}, "RadionuclideTotalDose is absent"),
        ({"injection": {"half_life": None}}, "RadionuclideHalfLife is absent"),
        ({"injection": {"start": "", "start_time": ""}}, "RadiopharmaceuticalStartDateTime and .* are absent"),
        ({"acquisition_date": ""}, "AcquisitionDate and AcquisitionTime are absent"),
        ({"times": ("",)}, "AcquisitionDate and AcquisitionTime are absent"),
    ],
)
def test_what_is_missing_is_named(said: dict[str, Any], told: str) -> None:
    with pytest.raises(UnsupportedError, match=told) as caught:
        factor_of(pet_series(**said))
    assert (caught.value.uid, caught.value.address) == ("1.2.3.1", "dicomfile:/data/1.dcm")


@pytest.mark.parametrize(
    ("units", "said", "told"),
    [
        ("SUVlbm", {"size": None}, "PatientSize is absent"),
        ("SUVlbm", {"sex": "O"}, "PatientSex is O"),
        ("SUVlbm(Janma)", {"sex": ""}, "PatientSex is absent"),
        ("SUVbsa", {"size": None}, "PatientSize is absent"),
        ("SUVibw", {"sex": ""}, "PatientSex is absent"),
    ],
)
def test_what_another_suv_needs_is_named(units: str, said: dict[str, Any], told: str) -> None:
    assert factor_of(pet_series(**said)) == pytest.approx(START)
    with pytest.raises(UnsupportedError, match=told):
        factor_of(pet_series(**said), units)


@pytest.mark.parametrize(
    ("units", "said", "told"),
    [
        ("SUVbw", {"injection": {"dose": 370.0}}, "RadionuclideTotalDose is 370 Bq"),
        ("SUVbw", {"injection": {"dose": 0.0}}, "RadionuclideTotalDose is 0 Bq"),
        ("SUVbw", {"injection": {"dose": -74e6}}, "RadionuclideTotalDose"),
        ("SUVbw", {"injection": {"half_life": 0.0}}, "RadionuclideHalfLife is 0 s"),
        ("SUVbw", {"injection": {"half_life": 109.77}}, "does not fit"),  # minutes
        ("SUVbw", {"weight": 0.0}, "PatientWeight is 0 kg"),
        ("SUVbw", {"weight": 70_000.0}, "PatientWeight is 70000 kg"),
        ("SUVbsa", {"size": 175.0}, "PatientSize is 175 m"),
        ("SUVlbm", {"weight": 300.0, "size": 1.0}, "no positive measure"),
    ],
)
def test_what_cannot_be_is_named(units: str, said: dict[str, Any], told: str) -> None:
    with pytest.raises(DamagedError, match=told) as caught:
        factor_of(pet_series(**said), units)
    assert caught.value.uid == "1.2.3.1"


def test_several_radiopharmaceuticals_are_refused_and_copies_are_one() -> None:
    assert factor_of(pet_series(injections=(INJECTION, INJECTION))) == pytest.approx(START)
    with pytest.raises(UnsupportedError, match="2 different items"):
        factor_of(pet_series(injections=(INJECTION, replace(INJECTION, dose=10e6))))


@pytest.mark.parametrize(
    ("said", "keyword"),
    [
        ({"weight": 71.0}, "PatientWeight"),
        ({"weight": None}, "PatientWeight"),
        ({"injections": (replace(INJECTION, dose=80e6),)}, "RadiopharmaceuticalInformationSequence"),
        ({"series_time": "102959"}, "SeriesTime"),
        ({"series_date": "20240101"}, "SeriesDate"),
        ({"ge_scan_start": "20240102103000"}, "GEScanDateTime"),
        ({"decay_correction": "ADMIN"}, "DecayCorrection"),
    ],
)
def test_what_differs_within_the_series_is_refused(said: dict[str, Any], keyword: str) -> None:
    records = pet_series(4)
    with pytest.raises(DamagedError, match=f"^{keyword}.* differs within") as caught:
        factor_of([*records[:3], said_of(records[3], **said)])
    assert caught.value.uid == records[3].uid


def test_what_is_not_used_may_differ() -> None:
    records = pet_series(2)
    assert factor_of([records[0], said_of(records[1], size=1.6, sex="", suv_type="BW")]) == pytest.approx(START)


def test_the_selected_images_have_the_factor_of_their_series() -> None:
    """The first acquisition counts although it is not selected: the second would decay the dose by too much."""
    early = pet_series(3, times=("103000",), series_time="180000")
    late = [replace(r, uid=r.uid + "9", labels=(("AcquisitionTime", "110000"),), instance_number=9) for r in early]
    plan = build_plan(early + late, PlanOptions(units="SUVbw", select={"InstanceNumber": 9}))
    slopes = {slot.rescale.slope for slot in plan.slots}
    assert [slope / 0.5 for slope in slopes] == pytest.approx([START])


def pictures(**fields: Any) -> list[FrameRecord]:
    return [replace(record, **fields) for record in pet_series()]


@pytest.mark.parametrize(
    ("records", "told"),
    [
        (make_series(2), "Modality is CT"),
        (pictures(rescale=Rescale(table=LookupTable(0, b"\1\0" * 4, 16))), "Modality LUT"),
        (pictures(pixel=PixelFormat(24, 32, 8, 8, 7, samples_per_pixel=3, photometric="RGB")), "colours"),
    ],
)
def test_what_is_no_pet_of_numbers_is_refused(records: list[FrameRecord], told: str) -> None:
    with pytest.raises(UnsupportedError, match=told) as caught:
        build_plan(records, PlanOptions(units="SUVbw"))
    assert caught.value.uid == "1.2.3.1"


def test_the_order_of_the_images_does_not_matter() -> None:
    records = pet_series(6, times=("104500", "103000"), series_time="120000")
    assert converted(records) == converted(records[::-1])
