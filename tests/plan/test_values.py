"""Voxel type, fill, units: from headers alone."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plan.series import CT, MR, make_series
from volstream.errors import DamagedError, UnsupportedError, UsageError
from volstream.plan import PlanOptions, VolumePlan, build_plan
from volstream.records import LookupTable, PixelFormat, Rescale, SeriesInfo


def plan_of(
    bits: int = 16,
    signed: int = 0,
    slope: float = 1.0,
    intercept: float = 0.0,
    *,
    modality: str = "MR",
    options: dict[str, Any] | None = None,
    pixel: PixelFormat | None = None,
    **fields: Any,
) -> VolumePlan:
    allocated = next(size for size in (8, 16, 32, 64) if bits <= size)
    fields.setdefault("rescale", Rescale(slope, intercept))
    info = SeriesInfo("1.2", "1.2.3", CT if modality == "CT" else MR, modality)
    pixel = pixel or PixelFormat(24, 32, allocated, bits, bits - 1, signed)
    return build_plan(make_series(2, series=info, pixel=pixel, **fields), PlanOptions(**(options or {})))


@pytest.mark.parametrize(
    ("bits", "signed", "slope", "intercept", "dtype"),
    [
        (1, 0, 1, 0, "int8"),
        (8, 0, 1, 0, "uint8"),
        (8, 1, 1, 0, "int8"),
        (8, 0, 1, -128, "int8"),
        (12, 0, 1, 0, "int16"),
        (15, 0, 1, 0, "int16"),
        (16, 0, 1, 0, "uint16"),
        (16, 1, 1, 0, "int16"),
        (16, 0, 2, 0, "int32"),
        (16, 0, 1, -1024, "int32"),
        (32, 0, 1, 0, "uint32"),
        (32, 0, 3, 0, "float64"),
        (33, 0, 1, 0, "float64"),
        (53, 0, 1, 0, "float64"),
        (54, 1, 1, 0, "float64"),
        (64, 0, 0.5, 0, "float64"),
        (12, 0, -1, 0, "int16"),
        (12, 0, 0.5, 0, "float32"),
        (12, 0, 1, 0.5, "float32"),
        (32, 0, 1e-6, 0, "float32"),
    ],
)
def test_smallest_exact_type(bits: int, signed: int, slope: float, intercept: float, dtype: str) -> None:
    assert plan_of(bits, signed, slope, intercept).dtype == np.dtype(dtype)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 48), st.integers(0, 1), st.integers(-20, 20).filter(bool), st.integers(-70000, 70000))
def test_the_declared_range_fits(bits: int, signed: int, slope: int, intercept: int) -> None:
    dtype = plan_of(bits, signed, slope, intercept).dtype
    low = -(2 ** (bits - 1)) if signed else 0
    for stored in (low, low + 2**bits - 1):
        value = stored * slope + intercept
        assert int(np.array(value).astype(dtype)) == value


@pytest.mark.parametrize(("bits", "signed"), [(54, 0), (55, 1), (64, 0), (64, 1)])
def test_whole_numbers_that_float64_would_round_need_a_word_from_the_caller(bits: int, signed: int) -> None:
    with pytest.raises(UnsupportedError, match=f"{bits} bits") as caught:
        plan_of(bits, signed)
    assert caught.value.uid == "1.2.3.1"
    for dtype in ("int32", "float32", "float64"):
        assert plan_of(bits, signed, options={"dtype": dtype}).dtype == np.dtype(dtype)


def test_the_cell_may_be_wider_than_what_is_stored() -> None:
    assert plan_of(pixel=PixelFormat(24, 32, 64, 12, 11)).dtype == np.int16
    assert plan_of(pixel=PixelFormat(24, 32, 64, 32, 63, 1)).dtype == np.int32


@pytest.mark.parametrize(("bits", "signed"), [(16, 1), (16, 0)])
def test_ct_in_a_16_bit_container_is_int16(bits: int, signed: int) -> None:
    """-1024 as intercept would ask for 32 bits, for values that no scanner makes."""
    assert plan_of(bits, signed, 1, -1024, modality="CT").dtype == np.int16
    assert plan_of(bits, signed, 1, -1024, modality="CT", options={"dtype": "int32"}).dtype == np.int32


def test_ct_whose_padding_does_not_fit_is_int32() -> None:
    plan = plan_of(16, 1, 1, -1024, modality="CT", padding=(-32768, -32768))
    assert plan.dtype == np.int32
    assert plan.fill == -33792


def test_bits_may_differ_within_a_series() -> None:
    narrow, wide = make_series(2), make_series(4, pixel=PixelFormat(24, 32, 16, 13, 12))[2:]
    assert build_plan(narrow + wide).dtype == np.int16


def test_modality_lut() -> None:
    def table(*entries: int) -> Rescale:
        return Rescale(table=LookupTable(0, struct.pack(f"<{len(entries)}H", *entries), 16))

    assert plan_of(12, rescale=table(0, 100)).dtype == np.int8
    assert plan_of(12, rescale=table(0, 40000)).dtype == np.uint16
    with pytest.raises(DamagedError, match="empty"):
        plan_of(12, rescale=table())


def test_float_pixel_data() -> None:
    assert plan_of(pixel=PixelFormat(24, 32, 32, 32, 31, is_float=True)).dtype == np.float32
    assert plan_of(pixel=PixelFormat(24, 32, 64, 64, 63, is_float=True)).dtype == np.float64


def test_dose() -> None:
    info = SeriesInfo("1.2", "1.2.3", "1.2.840.10008.5.1.4.1.1.481.2", "RTDOSE", units="GY")
    records = make_series(3, series=info, rescale=Rescale(1e-5), pixel=PixelFormat(24, 32, 32, 32, 31))
    plan = build_plan(records)
    assert (plan.dtype, plan.units) == (np.float32, "GY")


@pytest.mark.parametrize(
    ("fields", "dtype"),
    [
        ({"photometric": "RGB", "samples_per_pixel": 3}, "uint8"),
        ({"photometric": "YBR_FULL_422", "samples_per_pixel": 3}, "uint8"),
        ({"photometric": "YBR_RCT", "samples_per_pixel": 3}, "uint8"),
        ({"photometric": "PALETTE COLOR", "palette": LookupTable(0, bytes(6 * 256), 16, 3)}, "uint16"),
        ({"photometric": "PALETTE COLOR", "palette": LookupTable(0, bytes(6 * 256), 8, 3)}, "uint8"),
    ],
)
def test_colour(fields: dict[str, Any], dtype: str) -> None:
    plan = plan_of(pixel=PixelFormat(24, 32, 8, 8, 7, **fields), rescale=Rescale(2.0, 1.0))
    assert plan.shape == (2, 24, 32, 3)
    assert plan.dtype == np.dtype(dtype)
    assert plan.slots[0].rescale == Rescale()
    with pytest.raises(UsageError, match="colour"):
        plan_of(pixel=PixelFormat(24, 32, 8, 8, 7, **fields), options={"dtype": "int16"})


def test_deep_colour() -> None:
    for bits, dtype in ((10, np.uint16), (16, np.uint16), (32, np.uint32)):
        pixel = PixelFormat(24, 32, 16 if bits <= 16 else 32, bits, bits - 1, photometric="RGB", samples_per_pixel=3)
        assert plan_of(pixel=pixel).dtype == dtype
    with pytest.raises(UnsupportedError, match="64 bits"):
        plan_of(pixel=PixelFormat(24, 32, 64, 64, 63, photometric="RGB", samples_per_pixel=3))


def test_other_numbers_of_samples_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="SamplesPerPixel 4"):
        plan_of(pixel=PixelFormat(24, 32, 8, 8, 7, samples_per_pixel=4, photometric="ARGB"))


@pytest.mark.parametrize("rescale", [Rescale(0.0), Rescale(float("nan")), Rescale(1.0, float("inf"))])
def test_impossible_rescales(rescale: Rescale) -> None:
    with pytest.raises(DamagedError, match="Rescale") as caught:
        plan_of(rescale=rescale)
    assert caught.value.uid == "1.2.3.1"


@pytest.mark.parametrize("pixel", [PixelFormat(24, 32, 8, 12, 11), PixelFormat(24, 32, 16, 0, 0)])
def test_impossible_bits(pixel: PixelFormat) -> None:
    with pytest.raises(DamagedError, match="BitsStored"):
        plan_of(pixel=pixel)


def test_dtype_asked_for() -> None:
    assert plan_of(12, options={"dtype": "float64"}).dtype == np.float64
    assert plan_of(12, slope=0.5, options={"dtype": "float64"}).dtype == np.float64
    with pytest.raises(UsageError, match="fractions"):
        plan_of(12, slope=0.5, options={"dtype": "int16"})
    with pytest.raises(UsageError, match="choose one of int8"):
        plan_of(12, options={"dtype": "float16"})
    with pytest.raises(UsageError, match="choose one of int8"):
        plan_of(12, options={"dtype": "pixels"})


def test_fill() -> None:
    assert plan_of(12).fill == 0
    assert plan_of(12, intercept=-1024, modality="CT").fill == -1024
    assert plan_of(16, 1, intercept=-1024, modality="CT", padding=(-2000, -2000)).fill == -3024
    assert plan_of(16, 1, padding=(-10, -20)).fill == -20
    assert plan_of(12, modality="CT", options={"dtype": "uint16"}).fill == 0
    assert plan_of(12, options={"fill": 7}).fill == 7
    with pytest.raises(UsageError, match="fill"):
        plan_of(12, options={"fill": 40000})
    with pytest.raises(UsageError, match="fill"):
        plan_of(12, options={"fill": float("nan")})
    assert np.isnan(plan_of(12, slope=0.5, options={"fill": float("nan")}).fill)


def test_units() -> None:
    assert plan_of(12, modality="CT").units == "HU"
    assert plan_of(12, rescale=Rescale(1.0, 0.0, "US")).units == ""
    assert plan_of(12, rescale=Rescale(1.0, 0.0, "OD")).units == "OD"


def test_reported() -> None:
    plan = plan_of(
        pixel=PixelFormat(24, 32, 16, 12, 11, photometric="MONOCHROME1"), padding=(0, 0), window=(40.0, 400.0)
    )
    assert {finding.kind for finding in plan.geometry.findings} == {"monochrome1", "padding"}
    assert plan.metadata["window"] == [40.0, 400.0]
    assert plan.metadata["padding"] == [0, 0]


@pytest.mark.parametrize(
    "options", [{"gaps": "ignore"}, {"strays": ""}, {"select": True}, {"select": "1"}, {"select": {}}]
)
def test_wrong_options(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        PlanOptions(**options)
