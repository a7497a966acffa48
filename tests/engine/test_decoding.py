"""However frames come, fail, wait for room or change their order: every one of them is told of once, and none hangs."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from volstream.engine.options import EngineOptions
from volstream.engine.pipeline import Pipeline
from volstream.errors import SourceError, VolstreamError
from volstream.fetch.source import Put, Want
from volstream.plan import Slot, VolumePlan
from volstream.records import IDENTITY, FrameRecord
from volstream.store.segment import Segment
from volstream.store.states import FAILED, FULL

from .conftest import FakeSource, frame, pixels, plan_of

Make = Callable[[Any], Segment]
SLICES = 60


@dataclass
class Uneven(FakeSource):
    """Answers now and then, in any order; some frames come damaged the first time, some never."""

    chance: random.Random = None  # type: ignore[assignment]

    async def fetch(self, wants: Sequence[Want], put: Put) -> Sequence[Want]:
        for _ in range(self.chance.randrange(4)):
            await asyncio.sleep(0)
        return await super().fetch(wants, put)


def in_memory(plan: VolumePlan, which: Callable[[int], bool]) -> VolumePlan:
    """Some frames need no request."""

    def record(index: int) -> FrameRecord:
        return replace(frame(index), location=pixels(index).tobytes())

    slots = [Slot(record(i), IDENTITY) if which(i) else slot for i, slot in enumerate(plan.slots)]
    return replace(plan, slots=tuple(slots))


@pytest.mark.parametrize("seed", range(30))
def test_every_slice_gets_its_state(seed: int, segment: Make) -> None:
    chance = random.Random(seed)
    damaged, lost = (set(chance.sample(range(SLICES), chance.randrange(6))) for _ in range(2))

    def answer(index: int, attempt: int) -> bytes | VolstreamError:
        if index in lost:
            return SourceError("gone")
        return b"cut" if index in damaged and attempt == 1 else pixels(index).tobytes()

    plan = in_memory(plan_of(SLICES), lambda index: index not in damaged | lost and chance.random() < 0.5)
    source = Uneven(answer, connections=chance.randrange(1, 9), chance=chance)
    volume = segment(plan)
    room = chance.choice([1, 3, 100]) * frame(0).pixel.frame_bytes
    pipeline = Pipeline(source, plan, volume, EngineOptions(in_flight=room, workers=chance.randrange(1, 5)))
    settled = Counter[int]()

    async def main() -> None:
        settle = pipeline._settle
        pipeline._settle = lambda: (settled.update([0]), settle())[1]  # type: ignore[method-assign, func-returns-value]
        load = asyncio.create_task(pipeline.run())
        while not load.done():
            pipeline.prioritize(chance.sample(range(SLICES), 5))
            await asyncio.sleep(0)
            await asyncio.to_thread(pipeline.prioritize, [chance.randrange(SLICES)])
        await load

    asyncio.run(asyncio.wait_for(main(), 60))
    assert set(pipeline.errors) == lost
    assert settled[0] == SLICES + 1  # and what keeps a run from ending before it has begun
    for index in range(SLICES):
        assert volume.state(index) == (FAILED if index in lost else FULL)
        if index not in lost:
            np.testing.assert_array_equal(volume.array[index], pixels(index))
    assert pipeline.budget._used == 0


@pytest.mark.parametrize("seed", range(20))
def test_cancelled_and_begun_again_nothing_is_lost_or_asked_for_twice(seed: int, segment: Make) -> None:
    chance = random.Random(seed)
    plan = plan_of(SLICES)
    source = Uneven(connections=chance.randrange(1, 9), chance=chance)
    volume = segment(plan)
    room = chance.choice([2, 100]) * frame(0).pixel.frame_bytes
    pipeline = Pipeline(source, plan, volume, EngineOptions(in_flight=room, workers=chance.randrange(1, 4)))

    async def main() -> None:
        for _ in range(100):
            load = asyncio.create_task(pipeline.run())
            for _ in range(chance.randrange(1, 60)):
                await asyncio.sleep(0)
            load.cancel()
            await asyncio.wait([load])
            if (volume.states == FULL).all():
                return
        await pipeline.run()

    asyncio.run(asyncio.wait_for(main(), 60))
    assert (volume.states == FULL).all()
    for index in range(SLICES):
        np.testing.assert_array_equal(volume.array[index], pixels(index))
    assert sorted(source.asked) == list(range(SLICES))
