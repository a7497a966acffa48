"""Slices are put in their places whole, by several at once, and never by something worse."""

from __future__ import annotations

import math
import os
import threading
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from volstream.errors import ResourceError, UsageError
from volstream.store.segment import Segment
from volstream.store.states import FAILED, FULL, PENDING, STATES
from volstream.store.writer import SliceWriter

SHAPE = (4, 3, 2)


def make(dtype: str = "int16", fill: float = -5) -> Segment:
    return Segment.create(SHAPE, dtype, {}, slices=4, fill=fill)


def image(value: int, dtype: str = "int16") -> np.ndarray:
    return np.full(SHAPE[1:], value, dtype)


def test_a_slice_is_seen_through_every_mapping() -> None:
    with make() as segment, Segment.attach(segment.name) as other, closing(segment.writer()) as writer:
        assert writer.put(2, image(7), FULL, 7, 7)
        assert other.states.tolist() == [0, 0, 8, 0]
        assert (other.array[2] == 7).all()
        assert not other.array[[0, 1, 3]].any()
        assert other.ranges[2].tolist() == [7, 7]


def test_a_writable_attacher_has_a_writer_and_others_do_not() -> None:
    with make() as segment, Segment.attach(segment.name, writable=True) as worker, closing(worker.writer()) as writer:
        writer.write(1, image(9))
        assert (segment.array[1] == 9).all()
        assert segment.state(1) == PENDING  # written, not published


@given(st.lists(st.sampled_from(STATES[1:]), max_size=8))
def test_nothing_is_followed_by_something_worse(states: list[int]) -> None:
    with make() as segment, closing(segment.writer()) as writer:
        best = 0
        for number, state in enumerate(states, 1):
            taken = writer.put(0, image(number), state)
            assert taken == ((state > best or state == best <= 3) and best not in (FULL, FAILED))
            if taken:
                best, shown = state, number
        if best:
            assert (segment.array[0] == shown).all()
        assert segment.state(0) == best


@pytest.mark.parametrize(("dtype", "fill"), [("int16", -1024), ("uint8", 7), ("float32", math.nan), ("float64", 0.5)])
def test_a_slice_that_fails_gets_the_fill_value(dtype: str, fill: float) -> None:
    with make(dtype, fill) as segment, closing(segment.writer()) as writer:
        segment.array[...] = 1
        writer.fail(2)
        np.testing.assert_array_equal(segment.array[2], np.full((3, 2), fill, dtype))
        assert (segment.array[[0, 1, 3]] == 1).all()
        assert segment.states.tolist() == [0, 0, FAILED, 0]


@pytest.mark.parametrize("index", [-1, 4])
def test_slices_outside_are_refused(index: int) -> None:
    with make() as segment, closing(segment.writer()) as writer:
        for call in (lambda: writer.put(index, image(1), FULL), lambda: writer.write(index, image(1))):
            with pytest.raises(UsageError):
                call()
        assert not segment.array.any()


def test_a_slice_of_another_size_is_refused() -> None:
    with make() as segment, closing(segment.writer()) as writer:
        with pytest.raises(UsageError, match="slice of 12 bytes"):
            writer.put(0, image(1, "int32"), FULL)
        assert segment.states.tolist() == [0] * 4


def test_full_memory_is_an_error_of_that_slice() -> None:
    with make() as segment, closing(SliceWriter(segment, os.open("/dev/full", os.O_WRONLY), 0)) as writer:
        with pytest.raises(ResourceError, match="No space left") as caught:
            writer.put(1, image(1), FULL)
        assert caught.value.index == 1
        writer.fail(1)
        assert segment.states.tolist() == [0, FAILED, 0, 0]


def test_of_two_at_once_the_better_stays() -> None:
    with make() as segment, closing(segment.writer()) as writer:
        for index in range(4):
            both = threading.Barrier(2)

            def put(value: int, state: int, index: int = index, both: threading.Barrier = both) -> None:
                both.wait()
                writer.put(index, image(value), state)

            threads = [threading.Thread(target=put, args=args) for args in ((1, 3), (2, FULL))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert (segment.array == 2).all()
