"""What the user holds: data and meaning, waiting, events, control, end."""

from __future__ import annotations

import gc
import math
import threading
from contextlib import closing

import numpy as np
import pytest

from volstream.errors import CancelledError, DamagedError, SegmentError, UsageError, VolstreamError
from volstream.plan import Geometry
from volstream.records import Finding
from volstream.store.segment import Segment
from volstream.store.states import FAILED, FULL
from volstream.store.volume import Volume

AFFINE = [[0.5, 0, 0, -10], [0, 0.5, 0.1, -20], [0, 0, 2, 30], [0, 0, 0, 1]]


class Engine:
    """A controller that loads nothing by itself: the test publishes."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.errors: dict[int, VolstreamError] = {}
        self.running = False
        self.started = self.closed = 0

    @property
    def order(self) -> list[int]:
        return list(reversed(range(self.segment.slices)))

    def start(self, slices: list[int] | None = None) -> None:
        self.segment.set_activity("loading")
        self.started += not self.running
        self.running = True

    def cancel(self) -> None:
        self.running = False
        self.segment.set_activity("cancelled")

    def check_may_block(self) -> None:
        pass

    def close(self) -> None:
        self.closed += 1
        if not self.segment.closed:
            self.cancel()

    async def aclose(self) -> None:
        self.close()


def make(slices: int = 8, shape: tuple[int, ...] | None = None, addresses: list | None = None, **metadata) -> Volume:
    metadata |= {"units": "HU"} | ({"slices": {"addresses": addresses}} if addresses else {})
    segment = Segment.create(shape or (slices, 4, 3), "int16", metadata, slices=slices, fill=-1024)
    return Volume(segment, Engine(segment))


@pytest.fixture
def volume():
    with make() as volume:
        yield volume


@pytest.fixture
def other(volume):
    """The same volume, attached."""
    with Volume(Segment.attach(volume.name), None) as other:
        yield other


def later(function, *arguments) -> threading.Timer:
    timer = threading.Timer(0.05, function, arguments)
    timer.start()
    return timer


# Data and meaning


def test_the_array_is_the_segments(volume, other):
    volume.array[2] = 5
    assert volume.array.flags.writeable
    assert not other.array.flags.writeable
    assert other.array[2].min() == 5
    assert other.shape == volume.shape == (8, 4, 3)
    assert other.dtype == volume.dtype == np.int16
    assert other.units == "HU"


def test_numpy_takes_it_as_an_array(volume):
    volume.array[...] = 300
    assert np.shares_memory(np.asarray(volume), volume.array)
    assert np.shares_memory(np.array(volume, copy=False), volume.array)
    assert not np.shares_memory(np.array(volume), volume.array)
    converted = np.asarray(volume, dtype=np.float32)
    assert converted.dtype == np.float32
    assert converted.max() == 300
    assert np.mean(volume) == 300
    with pytest.raises(ValueError, match="without a copy"):
        volume.__array__(np.float32, copy=False)
    assert not np.shares_memory(volume.__array__(copy=True), volume.array)


def test_the_geometry_reaches_attached_processes():
    findings = (Finding("tilt", "the gantry was tilted", ("1.2.3",)),)
    metadata = {
        "affine": AFFINE,
        "is_placed": True,
        "findings": [{"kind": f.kind, "message": f.message, "uids": list(f.uids)} for f in findings],
    }
    with make(**metadata) as volume, Volume(Segment.attach(volume.name), None) as other:
        np.testing.assert_array_equal(other.affine, AFFINE)
        assert other.spacing == pytest.approx((0.5, 0.5, math.hypot(0.1, 2)))
        assert other.origin == (-10, -20, 30)
        assert other.direction.shape == (3, 3)
        assert other.geometry.findings == findings


def test_the_owners_geometry_is_the_plans():
    geometry = Geometry(affine=np.array(AFFINE))
    segment = Segment.create((2, 2, 2), "int8", {}, slices=2)
    with Volume(segment, None, geometry=geometry) as volume, Volume(Segment.attach(volume.name), None) as other:
        assert volume.geometry is geometry
        with pytest.raises(SegmentError, match="no usable geometry"):
            _ = other.affine


def test_the_range_is_that_of_full_slices(volume):
    assert all(map(math.isnan, volume.range))
    volume.segment.publish(0, 6, -999, 999)
    assert all(map(math.isnan, volume.range))
    volume.segment.publish(1, FULL, -5, 10)
    volume.segment.publish(2, FULL, 0, 40)
    volume.segment.publish(3, FAILED)
    assert volume.range == (-5, 40)


def test_states_and_progress(volume, other):
    volume.segment.publish(0, FULL)
    volume.segment.publish(1, 6)
    volume.segment.publish(2, FAILED)
    for seen in (volume, other):
        assert seen.states.tolist() == [8, 6, 255, 0, 0, 0, 0, 0]
        assert seen.progress == (1, 1, 8)
        assert seen.progress.fraction == 1 / 8
        assert not seen.complete
        assert repr(seen) == "<Volume (8, 4, 3) int16 HU, 1/8 slices, 1 failed>"
    for index in (1, 3, 4, 5, 6, 7):
        volume.segment.publish(index, FULL)
    assert not volume.complete
    volume.segment.reset(2)
    volume.segment.publish(2, FULL)
    assert volume.complete
    assert other.complete


def test_gaps_are_no_failures():
    with make(4, addresses=["a", None, "c", "d"]) as volume:
        for index in (0, 2, 3):
            volume.segment.publish(index, FULL)
        with closing(volume.segment.writer()) as writer:
            writer.fail(1)
        assert volume.has_image.tolist() == [True, False, True, True]
        assert volume.progress == (3, 0, 3)
        assert volume.complete
        assert volume.wait(timeout=0)
        assert volume.wait(slices=[0, 1], timeout=0)
        assert [event.index for event in volume.events()] == [0, 2, 3]
        assert [event.image_id for event in volume.events()] == ["a", "c", "d"]


def test_metadata_that_contradict_the_slices_are_refused():
    segment = Segment.create((4, 2, 2), "int8", {"slices": {"addresses": ["a"]}}, slices=4)
    with segment, pytest.raises(SegmentError, match="4 slices, its metadata 1"):
        Volume(segment, None)


# Waiting


def test_waiting_for_all_a_part_or_some(volume, other):
    for index in (7, 6, 5):
        volume.segment.publish(index, FULL)
    for seen in (volume, other):
        assert seen.wait(0, timeout=0)
        assert seen.wait(3 / 8, timeout=0)
        assert seen.wait(0.26, timeout=0)
        assert seen.wait(slices=range(5, 8), timeout=0)
        assert seen.wait(slices=[6, 6], timeout=0)
        assert seen.wait(slices=[], timeout=0)
        for impatient in ({"fraction": 0.4}, {}, {"slices": [5, 4]}):
            with pytest.raises(TimeoutError):
                seen.wait(**impatient, timeout=0.01)


def test_waiting_for_a_lower_quality(volume):
    volume.segment.publish(0, 6)
    assert volume.wait(slices=[0], quality=6, timeout=0)
    assert volume.wait(slices=[0], quality=1, timeout=0)
    with pytest.raises(TimeoutError):
        volume.wait(slices=[0], quality=7, timeout=0)


@pytest.mark.parametrize(
    "wrong",
    [{"fraction": 1.1}, {"fraction": -0.1}, {"fraction": 0.5, "slices": [1]}, {"slices": [8]}, {"slices": [-1]}],
)
def test_waiting_for_what_there_is_not(volume, wrong):
    with pytest.raises(UsageError):
        volume.wait(**wrong, timeout=0)


def test_a_wait_ends_when_the_slice_comes(volume, other):
    for index, seen in enumerate((volume, other)):
        timer = later(volume.segment.publish, index, FULL)
        assert seen.wait(slices=[index], timeout=30)
        timer.join()


def test_a_wait_ends_with_the_error_of_the_slice_that_failed(volume, other):
    error = DamagedError("torn", index=3)
    volume._controller.errors[3] = error
    timer = later(volume.segment.publish, 3, FAILED)
    with pytest.raises(DamagedError) as caught:
        volume.wait(timeout=30)
    timer.join()
    assert caught.value is error
    with pytest.raises(VolstreamError) as caught:
        other.wait(slices=[2, 3], timeout=30)
    assert caught.value.index == 3
    assert dict(volume.errors) == {3: error}
    assert dict(other.errors) == {}
    with pytest.raises(TimeoutError):
        other.wait(7 / 8, timeout=0.01)


def test_a_wait_ends_when_the_load_is_cancelled(volume, other):
    volume.segment.publish(0, FULL)
    timer = later(volume.cancel)
    with pytest.raises(CancelledError):
        other.wait(timeout=30)
    timer.join()
    with pytest.raises(CancelledError):
        volume.wait(timeout=30)
    assert volume.wait(slices=[0])


def test_a_wait_ends_when_the_load_does(volume):
    volume.segment.publish(0, 7)
    volume.segment.set_activity("complete")
    with pytest.raises(VolstreamError, match="ended"):
        volume.wait(slices=[0], timeout=30)


def test_a_wait_ends_when_the_owner_closes(volume, other):
    volume._controller.cancel = lambda: None
    timer = later(volume.close)
    with pytest.raises(SegmentError, match="closed it or died"):
        other.wait(timeout=30)
    timer.join()


# Control and end


def test_loading_is_started_once_and_joined(volume):
    handle = volume.load()
    volume.load()
    assert volume._controller.started == 1
    assert volume.segment.activity == "loading"
    assert not handle.done
    with pytest.raises(TimeoutError):
        handle.wait(0.01)
    called = threading.Event()
    seen = []
    handle.add_done_callback(lambda loaded: (seen.append(loaded), called.set()))
    assert not called.wait(0.02)
    for index in range(8):
        volume.segment.publish(index, FULL)
    assert handle.wait(30) is volume
    assert handle.done
    assert called.wait(30)
    assert seen == [volume]


def test_failed_slices_are_retried_on_demand(volume, other):
    for index in range(8):
        volume.segment.publish(index, FAILED if index in (2, 5) else FULL)
    volume.segment.set_activity("partial")
    handle = volume.retry_failed()
    assert volume._controller.started == 1
    assert other.states.tolist() == [8, 8, 0, 8, 8, 0, 8, 8]
    with pytest.raises(TimeoutError):
        other.wait(timeout=0.01)
    for index in (2, 5):
        volume.segment.publish(index, FULL)
    assert handle.wait(30).complete


@pytest.mark.parametrize("control", ["load", "cancel", "retry_failed"])
def test_attached_volumes_cannot_control(other, control):
    with pytest.raises(UsageError, match="attached"):
        getattr(other, control)()


def test_close_stops_the_load_first_and_keeps_arrays(volume):
    array = volume.array
    array[...] = 4
    volume.close()
    volume.close()
    assert volume._controller.closed == 2
    assert repr(volume) == "<Volume (8, 4, 3) int16 closed>"
    gc.collect()
    assert array.sum() == 4 * array.size
    for use in (lambda: volume.array, lambda: volume.states, lambda: volume.wait(timeout=0), lambda: volume.range):
        with pytest.raises(UsageError, match="closed"):
            use()
    assert list(volume.events()) == []


def test_closing_under_a_waiter_wakes_it(volume):
    """From another thread; the waiter hears of the cancelled load, or of the closed volume."""
    timer = later(volume.close)
    with pytest.raises((CancelledError, UsageError)):
        volume.wait(timeout=60)
    timer.join()
