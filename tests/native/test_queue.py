"""Frames in a queue are decoded into their slices by whoever runs it; it comes back when there is something to say."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from volstream import _native
from volstream.errors import DamagedError, ResourceError, SourceError, UnsupportedError, UsageError
from volstream.store.segment import Segment
from volstream.store.states import FULL
from volstream.store.writer import SliceWriter

SLICES, ROWS, COLUMNS = 40, 6, 5
SPEC = _native.FrameSpec(
    codec="raw", rows=ROWS, columns=COLUMNS, bits_allocated=16, bits_stored=16, high_bit=15, pixel_representation=1
)


def stored(index: int) -> np.ndarray:
    return np.random.default_rng(index).integers(-999, 999, (ROWS, COLUMNS), np.int16)


@pytest.fixture
def segment() -> Iterator[Segment]:
    with Segment.create((SLICES, ROWS, COLUMNS), "int16", {}, slices=SLICES) as made:
        yield made


@pytest.fixture
def writer(segment: Segment) -> Iterator[SliceWriter]:
    with closing(segment.writer()) as made:
        yield made


@pytest.fixture
def jobs() -> _native.DecodeQueue[Any]:
    return _native.DecodeQueue()


def put(queue: _native.DecodeQueue[Any], writer: SliceWriter, index: int, data: Any = None, **more: Any) -> None:
    data = stored(index).tobytes() if data is None else data
    queue.put(index, SPEC, writer.native, index, FULL, "int16", data, **more)


def test_several_threads_fill_the_volume(jobs: Any, segment: Segment, writer: SliceWriter) -> None:
    for index in range(SLICES):
        put(jobs, writer, index)
    told: list[Any] = []
    jobs.set_hungry(True)

    def work() -> None:
        told.extend(jobs.run())

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told += [(index, None) for index in jobs.done()]  # of a thread that was still at it when the others looked
    assert sorted(told) == [(index, None) for index in range(SLICES)]
    assert (segment.states == FULL).all()
    for index in range(SLICES):
        np.testing.assert_array_equal(segment.array[index], stored(index))
        assert segment.ranges[index].tolist() == [stored(index).min(), stored(index).max()]


def test_one_that_fails_is_told_at_once_with_what_was_done_before(
    jobs: Any, segment: Segment, writer: SliceWriter
) -> None:
    for index in range(5):
        put(jobs, writer, index, b"short" if index == 2 else None)
    finished = jobs.run()
    assert [index for index, _ in finished] == [0, 1, 2]
    assert isinstance(finished[2][1], DamagedError)
    assert jobs.waiting == 2
    assert segment.states[:5].tolist() == [8, 8, 0, 0, 0]


def test_what_is_not_for_the_core_comes_back_in_its_turn(jobs: Any, writer: SliceWriter) -> None:
    put(jobs, writer, 0)
    jobs.put("other")
    put(jobs, writer, 1)
    (first, none), (second, error) = jobs.run()
    assert (first, none, second) == (0, None, "other")
    assert isinstance(error, UnsupportedError)


def test_who_is_eager_hears_of_each(jobs: Any, writer: SliceWriter) -> None:
    jobs.set_eager(True)
    for index in range(3):
        put(jobs, writer, index)
    assert [jobs.run() for _ in range(3)] == [[(index, None)] for index in range(3)]


def test_becoming_eager_wakes_who_sleeps(jobs: Any, writer: SliceWriter) -> None:
    told: list[Any] = []
    thread = threading.Thread(target=lambda: told.append(jobs.run()))
    put(jobs, writer, 0)
    thread.start()
    while jobs.waiting:
        pass
    jobs.set_eager(True)
    thread.join(20)
    assert told == [[(0, None)]]


def test_files_are_read_by_the_core(jobs: Any, segment: Segment, writer: SliceWriter, tmp_path: Path) -> None:
    path, data = tmp_path / "frame é", stored(3).tobytes()
    path.write_bytes(b"head" + data[:10] + b"gap" + data[10:])
    put(jobs, writer, 3, ((4, 10), (17, len(data) - 10)), path=str(path))
    put(jobs, writer, 4, ((0, 60),), path=str(tmp_path / "none"))
    done, lost = jobs.run()
    assert done == (3, None)
    np.testing.assert_array_equal(segment.array[3], stored(3))
    assert isinstance(lost[1], SourceError)


def test_what_is_taken_back_is_not_done(jobs: Any, segment: Segment, writer: SliceWriter) -> None:
    for index in range(4):
        put(jobs, writer, index)
    assert jobs.take_back() == [0, 1, 2, 3]
    jobs.set_hungry(True)
    assert jobs.run() == []
    assert not segment.states.any()


def test_closed_nothing_more_is_begun(jobs: Any, segment: Segment, writer: SliceWriter) -> None:
    put(jobs, writer, 0)
    jobs.close()
    assert jobs.run() is None
    assert jobs.waiting == 1
    assert not segment.states.any()


def test_what_a_job_needs_lives_as_long_as_it_waits_and_no_longer(writer: SliceWriter) -> None:
    class Bytes(bytearray):
        pass

    queue: _native.DecodeQueue[Any] = _native.DecodeQueue()
    data = [Bytes(stored(0).tobytes()) for _ in range(2)]
    alive = [weakref.ref(one) for one in data]
    put(queue, writer, 0, data.pop())
    put(queue, writer, 0, (memoryview(data.pop())[:20], stored(0).tobytes()[20:]))
    gc.collect()
    assert all(one() is not None for one in alive)
    queue.set_hungry(True)
    queue.run()
    put(queue, writer, 1, Bytes(60))
    del queue  # with one that nobody has done
    gc.collect()
    assert all(one() is None for one in alive)


def test_no_memory_for_a_slice_is_its_error(jobs: Any, segment: Segment) -> None:
    import os

    with closing(SliceWriter(segment, os.open("/dev/full", os.O_WRONLY), 0)) as full:
        put(jobs, full, 0)
        ((_, error),) = jobs.run()
        assert isinstance(error, ResourceError)
        assert segment.state(0) == 0


def test_wrong_use_is_refused(jobs: Any, writer: SliceWriter) -> None:
    with pytest.raises(UsageError, match="slice 40"):
        put(jobs, writer, SLICES, b"")
    with pytest.raises(UsageError, match="dtype"):
        jobs.put(0, SPEC, writer.native, 0, FULL, "complex", b"")
    with pytest.raises(UsageError, match="without a writer"):
        jobs.put(0, SPEC)
    with pytest.raises(UsageError, match="buffer"):
        put(jobs, writer, 0, "text")
    with pytest.raises(SourceError, match="null"):
        put(jobs, writer, 0, ((0, 1),), path="a\0b")
    with pytest.raises(DamagedError, match="offset"):
        put(jobs, writer, 0, ((-1, 1),), path="a")
    assert jobs.waiting == 0
