"""What Cornerstone3D 5.8.2 gets wrong in numbers and geometry, one test each; defects 11 to 17 of 20 (13 is SUV)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import volstream
from badserver import BadServer, running
from dicomseries import AXIAL, ORIGIN, STEP, Series, plain, write
from volstream import GeometryError
from volstream.samples import instance
from volstream.samples.instance import Grid


def one_row(*raw: int, slope: float, intercept: float = 0.0, slices: int = 1) -> Series:
    """Slices of one row of unsigned 16-bit values each."""
    series = plain(grid=Grid(1, len(raw), (1.0, 1.0), AXIAL, STEP), count=slices)
    for each in series.slices:
        image = each.image
        each.stored = np.array([raw], np.uint16)
        image.BitsAllocated = image.BitsStored = 16
        image.HighBit, image.PixelRepresentation = 15, 0
        image.RescaleSlope, image.RescaleIntercept = instance.decimal(slope), instance.decimal(intercept)
    return series


@pytest.fixture(params=["folder", "server"])
def loaded(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Any]:
    """Writes a series and loads it."""

    def load(series: Series, **options: Any) -> tuple[np.ndarray, Any]:
        made = write(series, tmp_path)
        with running(BadServer([path.read_bytes() for path in made.files.values()])) as server:
            source = tmp_path if request.param == "folder" else server.series_url
            with volstream.load(source, **options) as volume:
                return volume.array.copy(), volume.geometry

    return load


def test_defect_11_whole_minimum_and_maximum_do_not_make_fractions_whole(loaded: Callable[..., Any]) -> None:
    """0 0.5 1 1.5 50 became 0 0 1 1 50, since 0 and 50 are whole numbers; now the type holds what the slope gives."""
    array, _ = loaded(one_row(0, 1, 2, 3, 100, slope=0.5))
    assert array.dtype.kind == "f"
    assert array.ravel().tolist() == [0, 0.5, 1, 1.5, 50]


def test_defect_12_large_raw_values_do_not_wrap(loaded: Callable[..., Any]) -> None:
    """Slope 0.1: 55.5, 99.9 and 100 became 4, 23 and 23, modulo 256; now each is what the formula gives."""
    array, _ = loaded(one_row(0, 1, 555, 999, 1000, slope=0.1))
    np.testing.assert_allclose(array.ravel(), [0, 0.1, 55.5, 99.9, 100], rtol=1e-7)


@pytest.mark.parametrize("dtype", [None, "int32", "float32"])
def test_defect_14_values_beyond_int16_do_not_wrap(loaded: Callable[..., Any], dtype: str | None) -> None:
    """Raw 65000 with intercept -1024 became -1560 in an Int16 volume; now the volume has room for it."""
    array, _ = loaded(one_row(0, 65000, slope=1, intercept=-1024), **({"dtype": dtype} if dtype else {}))
    assert array.ravel().tolist() == [-1024, 63976]


def test_defect_14_a_type_that_is_too_small_is_an_error(loaded: Callable[..., Any]) -> None:
    """The same, where the caller insists on int16: the slice fails by name."""
    with pytest.raises(volstream.ValueRangeError) as raised:
        loaded(one_row(0, 65000, slope=1, intercept=-1024), dtype="int16")
    assert raised.value.index == 0


def at(*z: float) -> Series:
    series = plain(count=len(z))
    for each, height in zip(series.slices, z, strict=True):
        each.image.ImagePositionPatient = [instance.decimal(v) for v in (*ORIGIN[:2], height)]
    return series


def test_defect_15_a_missing_slice_is_no_wider_spacing(loaded: Callable[..., Any]) -> None:
    """z = 0 1 2 4 5 had a spacing of 1.25 mm, without a word; now the gap is refused, or stays one where it is."""
    with pytest.raises(GeometryError, match="1 of 6 slices missing"):
        loaded(at(0, 1, 2, 4, 5))
    array, geometry = loaded(at(0, 1, 2, 4, 5), gaps="fill")
    assert array.shape[0] == 6
    assert geometry.spacing[2] == 1
    assert [finding.kind for finding in geometry.findings] == ["gap"]
    above = plain(count=5).slices[3].values  # the fourth file lies at z = 4
    np.testing.assert_array_equal(array[4], above)


def test_defect_16_every_slices_slope_decides_the_type(loaded: Callable[..., Any]) -> None:
    """Slope 0.5 on slice 1 of 5 was not among the three sampled, so the volume was Uint16; now all are looked at."""
    series = one_row(1, 3, 1000, slope=1, slices=5)
    series.slices[1].image.RescaleSlope = "0.5"
    array, _ = loaded(series)
    assert array.dtype.kind == "f"
    assert array[1].ravel().tolist() == [0.5, 1.5, 500]
    assert array[2].ravel().tolist() == [1, 3, 1000]


def test_defect_17_time_points_may_differ_by_a_millionth_of_a_millimetre(loaded: Callable[..., Any]) -> None:
    """Positions were compared as texts, so that 1e-6 mm made a 4D series a broken 3D one; now there is a tolerance."""
    series = plain(count=8)
    for n, each in enumerate(series.slices):
        t, k = divmod(n, 4)
        x, y, z = ORIGIN[0], ORIGIN[1], ORIGIN[2] + k * STEP + t * 1e-6
        each.image.ImagePositionPatient = [f"{v:.6f}" for v in (x, y, z)]
        each.image.TemporalPositionIdentifier, each.image.NumberOfTemporalPositions = t + 1, 2
    array, geometry = loaded(series)
    assert array.shape[:2] == (2, 4)
    assert geometry.spacing[2] == pytest.approx(STEP, abs=1e-5)
    expected = np.stack([each.values for each in series.slices]).reshape(array.shape)
    np.testing.assert_array_equal(array, expected)
