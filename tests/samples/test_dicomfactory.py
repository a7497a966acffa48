"""The factory itself: files say what the cases claim."""

from pathlib import Path

import numpy as np
import pydicom
import pytest

from dicomfactory import BAD, CASES, ROWS, SLICES, STEP, case


@pytest.mark.parametrize("name", [*CASES, *BAD])
def test_every_case_can_be_written(tmp_path: Path, name: str) -> None:
    made = case(name, tmp_path)
    assert all(path.exists() for path in made.files.values())
    assert made.array.ndim == (4 if name == "time_points" else 3)
    for uid, path in made.files.items():
        assert pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID == uid


@pytest.mark.parametrize("name", ["plain", "reversed", "shuffled", "tilt", "pet", "duplicate", "localizer", "missing"])
def test_truth_is_what_the_files_hold(tmp_path: Path, name: str) -> None:
    made = case(name, tmp_path)
    for k, uid in enumerate(made.uids):
        if uid not in made.files:
            continue
        image = pydicom.dcmread(made.files[uid])
        values = image.pixel_array * float(image.RescaleSlope) + float(image.RescaleIntercept)
        np.testing.assert_array_equal(values.astype(made.array.dtype), made.array[k])
        np.testing.assert_allclose((made.affine @ (0, 0, k, 1))[:3], np.array(image.ImagePositionPatient, float))


def test_cases_differ_in_what_they_are_about(tmp_path: Path) -> None:
    missing = case("missing", tmp_path / "missing")
    assert len(missing.files) == SLICES - 1
    assert set(missing.uids) - set(missing.files) == set(missing.odd)
    assert len(case("duplicate", tmp_path / "duplicate").files) == SLICES + 1
    tilt = case("tilt", tmp_path / "tilt").affine
    assert tilt[:3, 2].tolist() == [0, 0, STEP]
    assert np.dot(tilt[:3, 1], tilt[:3, 2]) > 0
    assert case("time_points", tmp_path / "time").array.shape[:2] == (2, 6)
    truncated = case("truncated", tmp_path / "truncated")
    sizes = {uid: path.stat().st_size for uid, path in truncated.files.items()}
    assert sizes[truncated.odd[0]] < max(sizes.values()) - 400
    rows = case("other_rows", tmp_path / "rows")
    assert pydicom.dcmread(rows.files[rows.odd[0]]).Rows != ROWS
    case("empty", tmp_path / "empty")
    assert not any((tmp_path / "empty").iterdir())
