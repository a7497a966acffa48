"""What is made up for slices without an image: only there, said to be made up, and between the right two."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from volstream.engine.fills import Made, made_from, voxels_of
from volstream.store.states import ADJACENT_REPLICATE, FAR_REPLICATE, INTERPOLATED


def states(text: str) -> np.ndarray:
    """One figure a slice; F for failed."""
    return np.array([255 if figure == "F" else int(figure) for figure in text], np.uint8)


def test_copies_go_half_way_to_the_next_image() -> None:
    made = list(made_from(states("8000000080"), 0, "nearest"))
    assert [(one.target, one.state) for one in made] == [
        (1, ADJACENT_REPLICATE), (2, FAR_REPLICATE), (3, FAR_REPLICATE), (4, FAR_REPLICATE),
    ]  # fmt: skip
    assert {(one.low, one.high) for one in made} == {(0, 0)}


def test_beyond_the_last_image_there_are_only_copies() -> None:
    for fill in ("nearest", "linear"):
        made = list(made_from(states("00800"), 2, fill))
        assert [(one.target, one.state) for one in made] == [(1, 3), (0, 1), (3, 3), (4, 1)]


def test_linear_between_two_images() -> None:
    made = list(made_from(states("60006"), 4, "linear"))
    assert [(one.target, one.state) for one in made] == [(3, INTERPOLATED), (2, INTERPOLATED), (1, INTERPOLATED)]
    volume = np.zeros((5, 2, 2), np.int16)
    volume[0], volume[4] = -100, 301
    assert [int(voxels_of(one, volume)[0, 0]) for one in made] == [201, 100, 0]  # 200.75, 100.5 to even, 0.25


@given(st.text("01236 8F".replace(" ", ""), min_size=1, max_size=12), st.data(), st.sampled_from(["nearest", "linear"]))
def test_nothing_that_has_an_image_or_has_failed_is_touched(text: str, data: st.DataObject, fill: str) -> None:
    index = data.draw(st.integers(0, len(text) - 1))
    now = states(text)
    now[index] = 8
    for one in made_from(now, index, fill):  # type: ignore[arg-type]
        assert now[one.target] <= one.state <= ADJACENT_REPLICATE
        assert one.low == index
        assert 6 <= now[one.high] <= 8
        assert 0 <= one.share < 1
        assert not np.any((now[min(one.low, one.target) + 1 : max(one.low, one.target)] & 0xFE) == 6)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "uint32", "float32", "float64"])
def test_made_up_voxels_lie_between_their_neighbours(dtype: str) -> None:
    rng = np.random.default_rng(1)
    if dtype.startswith("float"):
        volume = rng.normal(size=(3, 4, 5)).astype(dtype)
    else:
        info = np.iinfo(dtype)
        volume = rng.integers(info.min, info.max, (3, 4, 5), dtype, endpoint=True)
    middle = voxels_of(Made(1, INTERPOLATED, 0, 2, 0.5), volume)
    assert middle.dtype == volume.dtype
    assert (middle >= np.minimum(volume[0], volume[2])).all()
    assert (middle <= np.maximum(volume[0], volume[2])).all()
    np.testing.assert_array_equal(voxels_of(Made(1, 3, 2, 2, 0.0), volume), volume[2])
