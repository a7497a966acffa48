"""The verdict on an array: values count, and order and shape, not the type."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from volstream.bench.loaders.child import judge
from volstream.bench.loaders.stacking import Header, Layout

TRUTH = np.arange(-24, 24, dtype=np.int16).reshape(3, 4, 4) * 100


@pytest.fixture
def truth(tmp_path: Path) -> str:
    np.save(tmp_path / "truth.npy", TRUTH)
    return str(tmp_path / "truth.npy")


@pytest.mark.parametrize("dtype", ["int16", "int32", "float32", "float64"])
def test_equal_values_are_exact_whatever_the_type(dtype: str, truth: str) -> None:
    assert judge(TRUTH.astype(dtype), truth, 0.0)["verdict"] == "exact"


@pytest.mark.parametrize(
    "array", [TRUTH[::-1], TRUTH[:, ::-1], TRUTH + np.int16(1), TRUTH[:2], np.full(TRUTH.shape, np.nan)]
)
def test_other_order_values_and_shape_are_wrong(array: np.ndarray, truth: str) -> None:
    result = judge(array, truth, 0.0)
    assert result["verdict"] == "wrong"
    assert result["why"]


def test_what_a_lossy_syntax_leaves_is_close(truth: str) -> None:
    assert judge(TRUTH + np.int16(2), truth, 2.0)["verdict"] == "close"
    assert judge(TRUTH + np.int16(3), truth, 2.0)["verdict"] == "wrong"


def test_only_floats_may_be_rounded(truth: str) -> None:
    assert judge(TRUTH + np.float32(0.02), truth, 0.0)["verdict"] == "close"
    assert judge(TRUTH + np.float32(0.1), truth, 0.0)["verdict"] == "wrong"


def header(z: float, time: int = 0, slope: float = 1.0) -> Header:
    return Header((0.0, 0.0, z), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), time, slope, -1024.0, 2, 2)


def test_frames_are_stacked_along_the_normal_and_time() -> None:
    layout = Layout([header(z, time) for z in (3.0, 1.0, 2.0) for time in (10, 9)])
    for index in range(6):
        layout.place(index, np.full((2, 2), 1024 + index, np.uint16))
    assert layout.array.dtype == np.int16
    assert layout.array[:, :, 0, 0].tolist() == [[3, 5, 1], [2, 4, 0]]


def test_slopes_make_floats() -> None:
    layout = Layout([header(0.0, slope=0.5), header(1.0, slope=2.0)])
    for index in range(2):
        layout.place(index, np.full((2, 2), 100, np.uint16))
    assert layout.array.dtype == np.float32
    assert layout.array[:, 0, 0].tolist() == [50 - 1024, 200 - 1024]
