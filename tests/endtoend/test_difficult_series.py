"""Every difficult series as files, loaded by name: the outcome that docs/difficult-series.md promises."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import volstream
from dicomfactory import case
from volstream import DamagedError, GeometryError, ResourceError, SourceError, VolstreamError


def check(volume: volstream.Volume, made) -> None:
    np.testing.assert_array_equal(volume.array, made.array.astype(volume.dtype))
    np.testing.assert_allclose(volume.affine, made.affine, atol=1e-6)
    assert volume.complete
    assert volume.range == (made.array.min(), made.array.max())


@pytest.mark.parametrize(
    "name", ["plain", "reversed", "shuffled", "tilt", "pet", "enhanced", "enhanced_rle", "not_dicom"]
)
@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_plain_and_nearly_plain(name: str, executor: str, tmp_path: Path) -> None:
    made = case(name, tmp_path)
    with volstream.load(tmp_path, executor=executor) as volume:
        check(volume, made)
        assert volume.dtype == (np.float32 if name == "pet" else np.int16)
        assert volume.units == ("BQML" if name == "pet" else "HU")


@pytest.mark.parametrize("name", ["jitter", "orientation_jitter"])
def test_jitter_of_rounding_passes(name: str, tmp_path: Path) -> None:
    made = case(name, tmp_path)
    with volstream.load(tmp_path) as volume:
        np.testing.assert_array_equal(volume.array, made.array)
        np.testing.assert_allclose(volume.affine, made.affine, atol=0.01)


@pytest.mark.parametrize(
    "name", ["missing", "jump", "duplicate", "duplicate_differs", "localizer", "other_rows", "no_position", "mixed"]
)
def test_refused_naming_an_instance(name: str, tmp_path: Path) -> None:
    made = case(name, tmp_path)
    with pytest.raises(GeometryError) as raised:
        volstream.load(tmp_path)
    told = str(raised.value)
    assert raised.value.uid in {*made.uids, *made.odd}
    assert raised.value.address
    assert "=" in told, "the error names the option that resolves it"


def test_a_tilt_is_kept_as_shear(tmp_path: Path) -> None:
    case("tilt", tmp_path)
    with volstream.load(tmp_path) as volume:
        assert volume.geometry.tilt_degrees == pytest.approx(15, abs=1e-3)
        assert [finding.kind for finding in volume.geometry.findings] == ["tilt"]


def test_a_gap_is_filled_by_policy(tmp_path: Path) -> None:
    made = case("missing", tmp_path)
    with volstream.load(tmp_path, gaps="fill", fill=-2000) as volume:
        gaps = [i for i, uid in enumerate(made.uids) if uid in made.odd]
        there = np.setdiff1d(np.arange(len(made.uids)), gaps)
        np.testing.assert_array_equal(volume.array[there], made.array[there])
        assert (volume.array[gaps] == -2000).all()
        assert (volume.states[gaps] == 255).all()
        assert not volume.errors


def test_a_duplicate_is_resolved_by_policy(tmp_path: Path) -> None:
    made = case("duplicate", tmp_path)
    with volstream.load(tmp_path, duplicates="first") as volume:
        check(volume, made)


@pytest.mark.parametrize("name", ["localizer", "other_rows"])
def test_a_stray_is_dropped_by_policy(name: str, tmp_path: Path) -> None:
    made = case(name, tmp_path)
    options = {"strays": "drop"} if name == "localizer" else {"strays": "drop", "gaps": "fill"}
    with volstream.load(tmp_path, **options) as volume:
        there = volume.states == 8
        np.testing.assert_array_equal(volume.array[there], made.array[there])
        assert "stray" in {finding.kind for finding in volume.geometry.findings}


def test_time_points_are_the_first_axis(tmp_path: Path) -> None:
    made = case("time_points", tmp_path)
    with volstream.load(tmp_path) as volume:
        assert volume.shape == made.array.shape
        assert volume.array.ndim == 4
        np.testing.assert_array_equal(volume.array, made.array)


def test_truncated_pixel_data_name_the_slice(tmp_path: Path) -> None:
    made = case("truncated", tmp_path)
    with pytest.raises(DamagedError) as raised:
        volstream.load(tmp_path)
    assert raised.value.uid in made.odd
    assert str(made.files[made.odd[0]]) in str(raised.value)


def test_truncated_pixel_data_may_be_filled(tmp_path: Path) -> None:
    made = case("truncated", tmp_path)
    with volstream.load(tmp_path, on_error="fill") as volume:
        bad = made.uids.index(made.odd[0])
        assert list(volume.errors) == [bad]
        assert volume.states[bad] == 255
        there = np.arange(len(made.uids)) != bad
        np.testing.assert_array_equal(volume.array[there], made.array[there])
        assert (volume.array[bad] == volume.metadata["fill"]).all()


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("empty", SourceError),
        ("bad_rows", DamagedError),
        ("bad_bits_allocated", DamagedError),
        ("wrong_bits_allocated", DamagedError),
        ("bad_codestream", DamagedError),
        ("huge_rows", VolstreamError),
        ("huge_frames", VolstreamError),
    ],
)
@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_bad_input_is_a_named_error(name: str, error: type[Exception], executor: str, tmp_path: Path) -> None:
    made = case(name, tmp_path)
    with pytest.raises(error) as raised:
        volstream.load(tmp_path, executor=executor)
    if made.odd:
        assert raised.value.uid in made.odd
    assert raised.value.address


def test_a_100_gib_volume_is_refused_before_it_is_allocated(tmp_path: Path) -> None:
    from volstream.store.segment import Segment

    shape = (200_000, 512, 512)
    with pytest.raises(ResourceError, match="GiB"):
        Segment.create(shape, "int16", {}, slices=math.prod(shape[:1]))
