"""Segments in one process: what is created can be attached, published and let go."""

from __future__ import annotations

import gc
import math
import stat
import threading
from pathlib import Path

import numpy as np
import pytest

from volstream._native import Board
from volstream.errors import ResourceError, SegmentError, UsageError
from volstream.store import memory
from volstream.store.segment import Segment
from volstream.store.states import FAILED, FULL

from .processes import SHM, names


def make(shape: tuple[int, ...] = (4, 3, 2), dtype: str = "int16", slices: int | None = None, **options) -> Segment:
    return Segment.create(shape, dtype, {"units": "HU"}, slices=slices or shape[0], **options)


def mapped() -> int:
    return Path("/proc/self/maps").read_text().count("volstream-")


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64"])
@pytest.mark.parametrize(
    ("shape", "slices"), [((4, 3, 2), 4), ((2, 4, 3, 2), 8), ((4, 5, 7, 3), 4), ((2, 2, 5, 7, 3), 4)]
)
def test_attached_voxels_are_the_same_memory(shape, slices, dtype):
    with make(shape, dtype, slices) as owner, Segment.attach(owner.name) as other:
        owner.array[...] = np.arange(owner.array.size).reshape(shape) % 100
        assert other.array.dtype == dtype
        assert other.array.shape == shape
        np.testing.assert_array_equal(other.array, owner.array)
        assert other.metadata == {"units": "HU", "shape": list(shape), "dtype": dtype, "fill": 0}
        assert other.slice_bytes * slices == owner.voxels.nbytes == owner.array.nbytes
        owner.array.flat[0] = 77
        assert other.array.flat[0] == 77


def test_attachers_cannot_write():
    with make() as owner, Segment.attach(owner.name) as other:
        for array in (other.array, other.voxels, other.ranges, owner.ranges):
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 1
        for call in (lambda: other.publish(0, FULL), lambda: other.reset(0), other.touch):
            with pytest.raises(UsageError, match="read-only"):
                call()


def test_writable_attachers_can():
    with make() as owner, Segment.attach(owner.name, writable=True) as worker:
        worker.array[2] = 9
        assert worker.publish(2, FULL, 9, 9)
        assert owner.array[2].min() == 9
        assert owner.states.tolist() == [0, 0, 8, 0]
        assert not worker.is_owner
    assert names() == set()


def test_the_name_tells_nothing_and_only_the_user_may_open_it():
    with make() as segment:
        status = (SHM / segment.name[1:]).stat()
        assert stat.S_IMODE(status.st_mode) == 0o600
        assert len(segment.name) == len("/volstream-") + 32
        with make() as second:
            assert second.name != segment.name


def test_states_only_get_better():
    with make() as segment:
        taken = [segment.publish(0, state) for state in (1, 3, 2, 3, 6, 7, 8, 8, 7, FAILED)]
        assert taken == [True, True, False, False, True, True, True, False, False, False]
        assert segment.state(0) == FULL
        assert segment.publish(1, 6)
        assert segment.publish(1, FAILED)
        assert not segment.publish(1, FULL), "a failed slice stays failed until it is reset"
        assert segment.counters == (1, 1, 1)
        assert segment.reset(1)
        assert not segment.reset(1)
        assert not segment.reset(0)
        assert segment.states.tolist() == [8, 0, 0, 0]
        assert segment.publish(1, FULL, -3, 5)
        assert segment.counters == (2, 0, 2)
        assert segment.ranges[1].tolist() == [-3, 5]
        assert np.isnan(segment.ranges[2]).all()


def test_every_change_moves_the_sequence_and_refused_ones_do_not():
    with make() as segment:
        seen = [segment.sequence]
        changes = (
            lambda: segment.publish(0, 8), lambda: segment.publish(1, FAILED), lambda: segment.reset(1),
            lambda: segment.set_activity("loading"), segment.touch,
        )  # fmt: skip
        for change in changes:
            change()
            seen.append(segment.sequence)
        assert seen == list(range(seen[0], seen[0] + 6))
        segment.publish(0, 7)
        segment.reset(0)
        assert segment.sequence == seen[-1]
        assert segment.activity == "loading"


@pytest.mark.parametrize("index", [-1, 4, 2**40])
def test_slices_outside_are_refused(index):
    with make() as segment:
        for call in (segment.state, segment.reset, lambda i: segment.publish(i, FULL)):
            with pytest.raises((UsageError, OverflowError)):
                call(index)
        assert segment.counters == (0, 0, 0)


@pytest.mark.parametrize("state", [-1, 0, 4, 9, 254, 256])
def test_unknown_states_are_refused(state):
    with make() as segment, pytest.raises(UsageError):
        segment.publish(0, state)


def test_waiting_ends_with_a_change_or_the_time():
    with make() as segment:
        before = segment.sequence
        assert segment.wait_change(before, 0) == before
        assert segment.wait_change(before, 0.15) == before
        assert segment.wait_change(before + 5, None) == before
        thread = threading.Timer(0.05, segment.publish, (0, FULL))
        thread.start()
        assert segment.wait_change(before, 30) == before + 1
        thread.join()


def test_pending_voxels_are_zero():
    with make(fill=-1024) as segment:
        assert not segment.array.any()


@pytest.mark.parametrize(
    ("shape", "dtype", "slices", "fill"),
    [
        ((3, 2), "int16", 3, 0), ((0, 2, 2), "int16", 0, 0), ((2, 2, 2), "complex64", 2, 0),
        ((2, 2, 2), "object", 2, 0), ((4, 3, 2), "int16", 3, 0), ((-2, 2, -2), "int16", -2, 0),
        ((2, 2, 2), "uint8", 2, -1), ((2, 2, 2), "int16", 2, 0.5), ((2, 2, 2), "int16", 2, math.nan),
        ((2**33, 1, 1), "uint8", 2**33, 0),
    ],
)  # fmt: skip
def test_what_is_no_volume_is_refused(shape, dtype, slices, fill):
    with pytest.raises(UsageError):
        Segment.create(shape, dtype, {}, slices=slices, fill=fill)
    assert names() == set()


@pytest.mark.parametrize("shape", [(200, 16384, 16384), (2**20, 2**31, 2**31), (2, 2**62, 2**62)])
def test_absurd_sizes_are_refused_before_anything_is_allocated(shape):
    with pytest.raises(ResourceError, match=r"needs [\d.]+ GiB, but .* has only [\d.]+ [GM]iB left"):
        make(shape)
    assert names() == set()


def test_arrays_outlive_the_segment_and_hold_the_memory():
    before, open_before = mapped(), descriptors()
    segment = make()
    array, ranges = segment.array, segment.ranges
    segment.publish(1, FULL, 4, 5)
    array[...] = 3
    segment.close()
    segment.close()
    assert names() == set()
    assert array.sum() == 3 * array.size
    assert ranges[1].tolist() == [4, 5]
    for use in ("array", "voxels", "ranges", "states", "sequence", "counters", "activity"):
        with pytest.raises(UsageError, match="closed"):
            getattr(segment, use)
    assert not segment.owner_alive
    assert mapped() == before + 1
    del array, ranges
    gc.collect()
    assert mapped() == before
    assert descriptors() == open_before


def test_dropping_the_segment_removes_it():
    segment = make()
    array = segment.array
    assert segment.name in names()
    del segment
    gc.collect()
    assert names() == set()
    assert array.size == 24


def test_nothing_leaks_over_many_segments():
    before = descriptors(), mapped()
    for _ in range(50):
        with make() as owner, Segment.attach(owner.name), Segment.attach(owner.name, writable=True):
            pass
        with pytest.raises(SegmentError):
            Segment.attach(owner.name)
    assert (descriptors(), mapped()) == before


def test_the_owner_lives_until_it_closes():
    owner = make()
    with Segment.attach(owner.name) as first, Segment.attach(owner.name) as second:
        assert owner.owner_alive
        assert first.owner_alive
        assert second.owner_alive
        owner.close()
        assert not first.owner_alive
        assert not second.owner_alive
        assert first.array.shape == (4, 3, 2)


def test_a_file_outlives_its_owner(tmp_path):
    path = tmp_path / "volume.vst"
    with make(path=path) as owner:
        owner.array[...] = 5
        assert owner.name == str(path)
        assert owner.owner_alive
        with pytest.raises(UsageError, match="exists"):
            make(path=path)
    assert path.stat().st_mode & 0o777 == 0o600
    with Segment.attach(path) as again:
        assert again.array.min() == 5
        assert not again.owner_alive
    with Segment.attach(str(path)):
        pass


def test_a_reservation_that_fails_leaves_nothing(monkeypatch, tmp_path):
    """The free space was there when it was asked for, and gone when it was taken."""

    def full(descriptor: int, offset: int, size: int) -> None:
        raise OSError(28, "No space left on device")

    before = descriptors()
    monkeypatch.setattr(memory.os, "posix_fallocate", full)
    with pytest.raises(ResourceError, match=r"needs .* has only .* left: No space left on device"):
        make()
    with pytest.raises(ResourceError):
        make(path=tmp_path / "volume.vst")
    assert names() == set()
    assert list(tmp_path.iterdir()) == []
    assert descriptors() == before


@pytest.mark.parametrize(
    "areas", [{"live": 4090}, {"live": 2}, {"states": 4093}, {"ranges": 4064}, {"ranges": 4}, {"slices": 4000}]
)
def test_the_native_part_checks_its_bounds_itself(areas):
    with pytest.raises(UsageError, match="outside its mapping"):
        Board(bytearray(4096), **{"live": 0, "states": 64, "ranges": 128, "slices": 4, "writable": True} | areas)


def test_metadata_that_json_cannot_hold_leave_nothing():
    for metadata in ({"x": object()}, {"x": math.nan}):
        with pytest.raises((TypeError, ValueError)):
            Segment.create((2, 2, 2), "int16", metadata, slices=2)
    assert names() == set()
