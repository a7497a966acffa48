"""Orders of slices: each slice once, whatever the order."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from volstream.errors import UsageError
from volstream.plan.order import ORDERS, ranks


def sequence(slices: int, count: int, order: object) -> list[int]:
    places = ranks(slices, count, order)  # type: ignore[arg-type]
    return sorted(range(slices), key=places.__getitem__)


@given(st.integers(1, 40), st.integers(1, 4), st.sampled_from(ORDERS))
def test_each_slice_has_one_place(count: int, points: int, order: str) -> None:
    assert sorted(ranks(count * points, count, order)) == list(range(count * points))


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("centre-out", [4, 5, 3, 6, 2, 7, 1, 8, 0]),
        ("top-down", [8, 7, 6, 5, 4, 3, 2, 1, 0]),
        ("interleaved", [4, 0, 8, 2, 6, 1, 3, 5, 7]),
        (1, [1, 2, 0, 3, 4, 5, 6, 7, 8]),
        (np.int64(1), [1, 2, 0, 3, 4, 5, 6, 7, 8]),
        (np.array([7, 2]), [7, 2, 0, 1, 3, 4, 5, 6, 8]),
        ([], [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        ([7, 2], [7, 2, 0, 1, 3, 4, 5, 6, 8]),
    ],
)
def test_of_nine_slices(order: object, expected: list[int]) -> None:
    assert sequence(9, 9, order) == expected


def test_time_points_follow_each_other_and_the_one_looked_at_comes_first() -> None:
    assert sequence(6, 3, "top-down") == [2, 1, 0, 5, 4, 3]
    assert sequence(6, 3, 4) == [4, 5, 3, 1, 2, 0]


@given(st.integers(2, 200))
def test_interleaved_halves_the_widest_gap_again_and_again(count: int) -> None:
    order = sequence(count, count, "interleaved")
    for share in (4, 8, 16):
        some = sorted(order[: count // share + 4])
        gaps = [b - a for a, b in itertools.pairwise(some)]
        assert max(gaps) <= 4 * share


@pytest.mark.parametrize("order", [9, -1, [0, 9]])
def test_a_slice_that_is_not_there(order: object) -> None:
    with pytest.raises(UsageError):
        sequence(9, 9, order)
