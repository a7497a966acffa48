"""Stages as data: which slices are in which, and that every slice ends with the best that was asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volstream.errors import UsageError
from volstream.plan.stages import COVERAGE, INTERLEAVED, NAMED, SPARSE, Stage, chain, reduce_of

some_stages = st.lists(
    st.builds(
        lambda every, offset, reduce: Stage(every=every, offset=offset % every, reduce=reduce),
        st.integers(1, 5),
        st.integers(0, 4),
        st.integers(0, 4),
    ),
    max_size=6,
)


@given(some_stages, st.integers(1, 20))
def test_each_stage_of_a_slice_is_better_than_the_one_before(stages: list[Stage], count: int) -> None:
    for k in range(count):
        numbers = chain(stages, k, count)
        reduces = [reduce_of(stages, number) for number in numbers]
        assert numbers == tuple(sorted(set(numbers)))
        assert reduces == sorted(set(reduces), reverse=True)
        taken = [stage.reduce for stage in stages if stage.takes(k, count)]
        assert reduces[-1] == min(taken, default=0)


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("count", [1, 2, 3, 12, 100])
def test_the_named_ones_end_in_full(name: str, count: int) -> None:
    assert all(reduce_of(NAMED[name], chain(NAMED[name], k, count)[-1]) == 0 for k in range(count))


def test_coverage_takes_every_slice_twice() -> None:
    assert [chain(COVERAGE, k, 5) for k in range(5)] == [(0, 1)] * 5


def test_cornerstone3ds_interleaved_plan() -> None:
    """Twelve slices in the order that it gives: 5, 0, 11, then 3, 7, then 1, 9, then the others at full quality."""
    first = {k: chain(INTERLEAVED, k, 12) for k in range(12)}
    assert [k for k in range(12) if first[k][0] == 0] == [0, 5, 11]
    assert [k for k in range(12) if first[k][0] == 1] == [3, 7]
    assert [k for k in range(12) if first[k][0] == 2] == [1, 9]
    assert [k for k in range(12) if first[k][0] == 3] == [2, 6, 10]
    assert [k for k in range(12) if first[k][0] == 4] == [4, 8]


def test_a_float_is_a_share_of_the_way_an_integer_a_slice() -> None:
    positions = (0.0, 0.5, 1.0, 1, -1, 9, -10)
    taken = [[k for k in range(9) if Stage(positions=(p,)).takes(k, 9)] for p in positions]
    assert taken == [[0], [4], [8], [1], [8], [], []]


def test_sparse_halves_what_is_missing() -> None:
    numbers = [chain(SPARSE, k, 33)[0] for k in range(33)]
    assert [numbers.count(n) for n in range(6)] == [3, 2, 4, 8, 16, 0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"every": 0},
        {"offset": 1},
        {"every": 2, "offset": 2},
        {"reduce": -1},
        {"fill": "cubic"},
        {"positions": (1.5,)},
        {"positions": (-0.5,)},
    ],
)
def test_stages_that_are_none(wrong: dict) -> None:
    with pytest.raises(UsageError):
        Stage(**wrong)
