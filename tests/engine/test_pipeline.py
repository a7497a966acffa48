"""The pipeline: every slice gets a final state, whatever the source does; nothing is fetched without need."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from volstream.engine.options import EngineOptions
from volstream.engine.pipeline import Pipeline
from volstream.engine.placing import Job, Placer
from volstream.engine.scheduler import scheduler
from volstream.errors import DamagedError, SourceError, UsageError
from volstream.fetch.source import Put, Want
from volstream.store.segment import Segment

from .conftest import FakeSource, frame, pixels, plan_of

Make = Callable[[Any], Segment]


def test_fills_the_volume(segment: Make) -> None:
    plan = plan_of(30)
    volume, source = segment(plan), FakeSource()
    pipeline = Pipeline(source, plan, volume, EngineOptions())
    asyncio.run(pipeline.run())
    assert (volume.states == 8).all()
    assert not pipeline.errors
    np.testing.assert_array_equal(volume.array, [pixels(i) for i in range(30)])
    assert source.asked == [15, *(k for d in range(1, 15) for k in (15 + d, 15 - d)), 0]


def test_a_tiny_budget_bounds_what_is_in_flight(segment: Make) -> None:
    plan = plan_of(30)
    nbytes = frame(0).pixel.frame_bytes
    pipeline = Pipeline(FakeSource(), plan, segment(plan), EngineOptions(in_flight=2 * nbytes))
    asyncio.run(pipeline.run())
    assert pipeline.budget.peak <= 2 * nbytes
    assert pipeline.budget._used == 0


def test_a_gap_gets_the_fill_value_and_no_error(segment: Make) -> None:
    plan = plan_of(4, gaps=(2,))
    volume = segment(plan)
    pipeline = Pipeline(FakeSource(), plan, volume, EngineOptions())
    asyncio.run(pipeline.run())
    assert volume.states.tolist() == [8, 8, 255, 8]
    assert (volume.array[2] == -7).all()
    assert not pipeline.errors


def test_a_frame_damaged_on_the_way_is_fetched_once_more(segment: Make) -> None:
    plan = plan_of(5)
    source = FakeSource(lambda index, attempt: b"cut" if (index, attempt) == (3, 1) else pixels(index).tobytes())
    volume = segment(plan)
    pipeline = Pipeline(source, plan, volume, EngineOptions())
    asyncio.run(pipeline.run())
    assert (volume.states == 8).all()
    assert source.asked == [2, 3, 1, 4, 0, 3]


def test_a_frame_that_stays_damaged_fails_alone(segment: Make) -> None:
    plan = plan_of(5)
    source = FakeSource(lambda index, attempt: b"cut" if index == 3 else pixels(index).tobytes())
    volume = segment(plan)
    pipeline = Pipeline(source, plan, volume, EngineOptions())
    asyncio.run(pipeline.run())
    assert volume.states.tolist() == [8, 8, 8, 255, 8]
    assert isinstance(pipeline.errors[3], DamagedError)
    assert pipeline.errors[3].uid == "1.2.3"
    assert (volume.array[3] == -7).all()


def test_a_frame_that_cannot_be_fetched_fails_alone(segment: Make) -> None:
    plan = plan_of(3)
    source = FakeSource(lambda index, attempt: SourceError("gone") if index == 0 else pixels(index).tobytes())
    pipeline = Pipeline(source, plan, segment(plan), EngineOptions())
    asyncio.run(pipeline.run())
    assert list(pipeline.errors) == [0]
    assert pipeline.errors[0].address == "wadors:0"
    assert pipeline.budget._used == 0


def test_what_failed_is_loaded_again_only_when_it_was_reset(segment: Make) -> None:
    plan = plan_of(3)
    source = FakeSource(lambda index, attempt: SourceError("gone") if attempt == 1 else pixels(index).tobytes())
    volume = segment(plan)
    pipeline = Pipeline(source, plan, volume, EngineOptions())
    asyncio.run(pipeline.run())
    asyncio.run(pipeline.run())
    assert source.asked == [1, 2, 0]
    assert sorted(pipeline.errors) == [0, 1, 2]
    volume.reset(1)
    asyncio.run(pipeline.run())
    assert source.asked == [1, 2, 0, 1]
    assert sorted(pipeline.errors) == [0, 2]
    assert volume.states.tolist() == [255, 8, 255]


def test_a_frame_the_source_forgets_is_an_error(segment: Make) -> None:
    class Forgetful(FakeSource):
        async def fetch(self, wants: Sequence[Want], put: Put) -> Sequence[Want]:
            return await super().fetch([want for want in wants if want.index != 1], put)

    plan = plan_of(3)
    pipeline = Pipeline(Forgetful(), plan, segment(plan), EngineOptions())
    asyncio.run(pipeline.run())
    assert isinstance(pipeline.errors[1], SourceError)


def test_cancelled_it_leaves_what_is_there_and_resumes(segment: Make) -> None:
    plan = plan_of(10)
    volume = segment(plan)
    source = FakeSource()
    pipeline = Pipeline(source, plan, volume, EngineOptions())

    class Stalls(FakeSource):
        async def fetch(self, wants: Sequence[Want], put: Put) -> Sequence[Want]:
            if len(source.asked) == 4:
                await asyncio.sleep(60)
            return await source.fetch(wants, put)

    async def main() -> None:
        pipeline._source = Stalls()
        task = asyncio.create_task(pipeline.run())
        while np.count_nonzero(volume.states) < 4:
            await asyncio.to_thread(volume.wait_change, volume.sequence, 0.1)
        task.cancel()
        await asyncio.wait([task])
        assert volume.states.tolist() == [0] * 4 + [8] * 4 + [0] * 2
        pipeline._source = source
        await pipeline.run()

    asyncio.run(main())
    assert (volume.states == 8).all()
    assert sorted(source.asked) == list(range(10))
    np.testing.assert_array_equal(volume.array, [pixels(i) for i in range(10)])


def test_a_source_that_raises_ends_the_load_cleanly(segment: Make) -> None:
    class Breaks(FakeSource):
        async def fetch(self, wants: Sequence[Want], put: Put) -> Sequence[Want]:
            await super().fetch(wants, put)
            raise RuntimeError("a bug")

    plan = plan_of(5)
    pipeline = Pipeline(Breaks(), plan, segment(plan), EngineOptions())
    with pytest.raises(RuntimeError, match="a bug"):
        asyncio.run(pipeline.run())


def test_a_source_that_is_lost_fails_what_is_missing(segment: Make) -> None:
    class Lost(FakeSource):
        async def fetch(self, wants: Sequence[Want], put: Put) -> Sequence[Want]:
            if len(self.asked) == 2:
                raise SourceError("the server is gone")
            return await super().fetch(wants, put)

    plan = plan_of(4)
    volume = segment(plan)
    pipeline = Pipeline(Lost(), plan, volume, EngineOptions())
    asyncio.run(pipeline.run())
    assert volume.states.tolist() == [255, 255, 8, 8]
    assert [error.uid for error in pipeline.errors.values()] == ["1.2.1", "1.2.0"]


def test_what_is_prioritized_comes_next(segment: Make) -> None:
    class Watched(FakeSource):
        async def fetch(self, wants: Sequence[Want], put: Put) -> Sequence[Want]:
            if len(self.asked) == 3:
                pipeline.prioritize([9, 0, 8])
            return await super().fetch(wants, put)

    plan, source = plan_of(10), Watched()
    pipeline = Pipeline(source, plan, segment(plan), EngineOptions())
    asyncio.run(pipeline.run())
    assert source.asked == [5, 6, 4, 7, 9, 0, 8, 3, 2, 1]


def test_options_are_checked() -> None:
    for wrong in ({"in_flight": 0}, {"order": "random"}):
        with pytest.raises(UsageError):
            EngineOptions(**wrong)  # type: ignore[arg-type]


def test_what_waited_for_a_worker_when_it_was_cancelled_is_not_fetched_again(segment: Make) -> None:
    """With one worker that is held up, everything else has arrived and waits."""
    plan = plan_of(6)
    volume, source = segment(plan), FakeSource()
    pipeline = Pipeline(source, plan, volume, EngineOptions(workers=1))
    go_on, place = threading.Event(), Placer.place

    def slow(self: Placer, job: Job) -> Any:
        go_on.wait()
        return place(self, job)

    async def main() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Placer, "core_spec", lambda self, job: None)
            patch.setattr(Placer, "place", slow)
            task = asyncio.create_task(pipeline.run())
            while len(source.asked) < 6:  # noqa: ASYNC110 - each turn of the loop is one step of the load
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.sleep(0)
            go_on.set()
            await asyncio.wait([task])
        assert np.count_nonzero(volume.states) < 6
        await pipeline.run()

    asyncio.run(main())
    assert (volume.states == 8).all()
    assert len(source.asked) == 6
    np.testing.assert_array_equal(volume.array, [pixels(i) for i in range(6)])


def test_what_one_answer_leaves_out_is_asked_for_one_by_one(segment: Make) -> None:
    """Even if the host is busy while the one request is under way."""
    batches = []

    class Whole(FakeSource):
        async def fetch(self, wants: Sequence[Want], put: Put) -> Sequence[Want]:
            batches.append(len(wants))
            if self.at_once:
                self.at_once = False
                await asyncio.sleep(0.01)
                await super().fetch(wants[:5], put)
                return wants[5:]
            return await super().fetch(wants, put)

    plan, source = plan_of(30), Whole(at_once=True, connections=4)
    volume = segment(plan)

    async def main() -> None:
        busy = scheduler.lane(source.host, 4, lambda: False)
        for _ in range(4):
            await busy.__aenter__()
        load = asyncio.create_task(Pipeline(source, plan, volume, EngineOptions()).run())
        await asyncio.sleep(0.01)
        await busy.__aexit__()  # room for one request: the others wait for theirs until this is over
        await load
        for _ in range(3):
            await busy.__aexit__()

    asyncio.run(main())
    assert batches == [30] + [1] * 25
    assert (volume.states == 8).all()
    np.testing.assert_array_equal(volume.array, [pixels(i) for i in range(30)])
