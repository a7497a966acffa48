"""Events tell each slice's way to its final state, whatever the order, the speed and the process."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import volstream.store.events as events_module
from volstream.errors import CancelledError, UsageError
from volstream.store.events import extent
from volstream.store.segment import Segment
from volstream.store.states import FAILED, FULL
from volstream.store.volume import Volume

from .test_volume import later, make

SLICES = 6
STEPS = st.lists(st.tuples(st.integers(0, SLICES - 1), st.sampled_from([1, 2, 3, 6, 7])), max_size=30)


@settings(max_examples=150, deadline=None)
@given(steps=STEPS, order=st.permutations(range(SLICES)), failing=st.sets(st.integers(0, SLICES - 1)), data=st.data())
def test_every_slice_gets_better_step_by_step_until_it_is_final(steps, order, failing, data):
    """However often the consumer looks, and whatever it misses."""
    with make(SLICES) as volume:
        publishes = [*steps, *((index, FAILED if index in failing else FULL) for index in order)]
        events = volume.events()
        for index, state in publishes:
            volume.segment.publish(index, state)
            if data.draw(st.booleans()):
                events._look()  # the consumer came round
        seen = list(events)
        states = np.zeros(SLICES, int)
        for event in seen:
            assert event.state > states[event.index], "never worse, never twice the same"
            states[event.index] = event.state
            assert event.total == SLICES
        assert states.tolist() == [FAILED if index in failing else FULL for index in range(SLICES)]
        assert (seen[-1].loaded, seen[-1].failed) == (SLICES - len(failing), len(failing))


def test_a_slow_consumer_sees_the_last_state_only():
    with make(2) as volume:
        for state in (1, 3, 6, FULL):
            volume.segment.publish(0, state)
        volume.segment.publish(1, FULL)
        assert [(event.index, event.state) for event in volume.events()] == [(0, FULL), (1, FULL)]


def test_events_come_while_it_loads_to_several_consumers_and_processes():
    with make(40) as volume, Volume(Segment.attach(volume.name), None) as other:
        seen: list[list[int]] = [[], [], []]
        sources = (volume, volume, other)

        def follow(number: int) -> None:
            seen[number].extend(event.index for event in sources[number].events(timeout=30))

        threads = [threading.Thread(target=follow, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        for index in reversed(range(40)):
            volume.segment.publish(index, FULL)
        for thread in threads:
            thread.join()
        assert [sorted(indices) for indices in seen] == [list(range(40))] * 3


def test_a_retried_slice_is_told_again():
    with make(1) as volume:
        volume.segment.publish(0, FAILED)
        events = volume.events()
        assert next(events).state == FAILED
        volume.segment.reset(0)
        events._look()
        volume.segment.publish(0, FAILED)
        assert next(events).state == FAILED
        volume.segment.reset(0)
        volume.segment.publish(0, FULL)
        assert next(events).state == FULL
        assert next(events, None) is None


@pytest.mark.parametrize("activity", ["complete", "partial", "cancelled"])
def test_events_end_with_the_load(activity):
    with make(4) as volume:
        volume.segment.publish(2, FULL)
        timer = later(volume.segment.set_activity, activity)
        assert [event.index for event in volume.events(timeout=30)] == [2]
        timer.join()


def test_events_do_not_wait_longer_than_told():
    with make(2) as volume:
        volume.segment.publish(0, FULL)
        events = volume.events(timeout=0.01)
        assert next(events).index == 0
        with pytest.raises(TimeoutError):
            next(events)


class Clock:
    """Time that passes only while somebody sleeps, and what happens then."""

    def __init__(self, monkeypatch, meanwhile=lambda: None):
        self.now, self.slept, self.meanwhile = 0.0, [], meanwhile
        monkeypatch.setattr(events_module, "time", self)
        monkeypatch.setattr(events_module, "rest", self.rest)

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        self.slept.append(seconds)
        self.meanwhile()

    async def rest(self, seconds):
        self.sleep(seconds)


@pytest.mark.parametrize("is_async", [False, True])
def test_with_an_interval_they_come_in_batches_of_the_latest_states(monkeypatch, is_async):
    async def follow(events):
        return [event async for event in events]

    with make(4) as volume:
        steps = iter([(1, 6), (2, 6), (2, FULL), (3, FULL), (1, FULL)])
        volume.segment.publish(0, FULL)

        def publish_two() -> None:
            for _, step in zip(range(2), steps, strict=False):
                volume.segment.publish(*step)

        clock = Clock(monkeypatch, publish_two)
        events = volume.events(interval=5)
        seen = run(follow(events)) if is_async else list(events)
        assert [(event.index, event.state) for event in seen] == [(0, 8), (1, 6), (2, 6), (2, 8), (3, 8), (1, 8)]
        assert clock.slept == [5, 5, 5], "before each look but the first; none after the last"


def test_a_consumer_slower_than_the_interval_is_not_held_up(monkeypatch):
    with make(3) as volume:
        clock = Clock(monkeypatch)
        events = volume.events(interval=5)
        for index in range(3):
            volume.segment.publish(index, FULL)
            assert next(events).index == index
            clock.now += 6
        assert next(events, None) is None
        assert clock.slept == []


@pytest.mark.parametrize("interval", [-1, float("nan"), float("inf")])
def test_what_is_no_interval(interval):
    with make(1) as volume, pytest.raises(UsageError, match="interval"):
        volume.events(interval=interval)


def test_an_event_says_where_and_what():
    with make(6, (2, 3, 5, 4), addresses=list("abcdef")) as volume:
        volume.segment.publish(4, 6)
        event = next(volume.events())
        assert event == next(volume.events())
        assert (event.index, event.image_id, event.state, event.loaded, event.failed, event.total) == (
            4,
            "e",
            6,
            0,
            0,
            6,
        )
        assert event.extent == ((1, 2), (1, 2), (0, 5), (0, 4))
        with pytest.raises(AttributeError):
            event.index = 3


@given(t=st.integers(1, 4), k=st.integers(1, 4), colour=st.booleans())
def test_extents_are_the_slices_in_memory_order(t, k, colour):
    shape = (t, k, 3, 2, *((3,) if colour else ()))
    flat = np.zeros((t * k, 3 * 2 * (3 if colour else 1)), int)
    for index in range(t * k):
        flat[...] = 0
        place = tuple(slice(*bounds) for bounds in extent(shape, t * k, index))
        flat.reshape(shape)[place] = 1
        assert (flat.sum(1) > 0).tolist() == [row == index for row in range(t * k)]
        assert flat[index].all()
    assert extent((5, 3, 2), 5, 4) == ((4, 5), (0, 3), (0, 2))


# Under asyncio


def run(coroutine):
    with asyncio.Runner() as runner:
        return runner.run(asyncio.wait_for(coroutine, 60))


def test_events_and_waits_under_asyncio():
    async def main() -> None:
        async with make(20) as volume:
            other = Volume(Segment.attach(volume.name), None)

            async def publish() -> None:
                for index in range(20):
                    volume.segment.publish(index, FULL)
                    await asyncio.sleep(0.001)

            async def follow(seen: Volume) -> list[int]:
                return [event.index async for event in seen.events()]

            results = await asyncio.gather(
                publish(), follow(volume), follow(volume), follow(other), volume.wait_async(0.5),
                other.wait_async(slices=[19]), volume.load(),
            )  # fmt: skip
            assert [sorted(indices) for indices in results[1:4]] == [list(range(20))] * 3
            assert results[4:] == [True, True, volume]
            await other.aclose()

    run(main())


def test_many_await_one_volume_in_one_thread():
    async def main() -> None:
        async with make(2) as volume:
            before = threading.active_count()
            tasks = [asyncio.create_task(volume.wait_async()) for _ in range(100)]
            await asyncio.sleep(0.05)
            assert threading.active_count() == before + 1
            volume.segment.publish(0, FULL)
            volume.segment.publish(1, FULL)
            assert await asyncio.gather(*tasks) == [True] * 100

    run(main())


def test_async_waits_end_with_errors_time_and_cancellation():
    async def main() -> None:
        async with make(4) as volume:
            with pytest.raises(TimeoutError):
                await volume.wait_async(timeout=0.01)
            with pytest.raises(TimeoutError):
                await anext(volume.events(timeout=0.01))
            task = asyncio.create_task(volume.wait_async())
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            task = asyncio.create_task(volume.wait_async())
            await asyncio.sleep(0.02)
            volume.cancel()
            with pytest.raises(CancelledError):
                await task
            assert [event async for event in volume.events()] == []

    run(main())


def test_a_loop_that_ends_under_a_wait_leaves_nothing():
    with make(2) as volume:
        runner = asyncio.Runner()
        runner.run(asyncio.wait_for(asyncio.sleep(0), 5))
        runner.get_loop().create_task(volume.wait_async())
        runner.run(asyncio.sleep(0.02))
        runner.close()  # cancels the task; then the watcher has nobody to wake
        volume.segment.publish(0, FULL)
