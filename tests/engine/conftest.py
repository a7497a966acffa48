"""Frames made from nothing but numbers, and a segment to put them in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from volstream.errors import VolstreamError
from volstream.fetch.source import Put, Want
from volstream.plan import Geometry, Slot, VolumePlan
from volstream.records import IDENTITY, FrameRecord, Payload, PixelFormat, SeriesInfo
from volstream.store.segment import Segment
from volstream.syntaxes import EXPLICIT

ROWS, COLUMNS = 8, 10
PIXEL = PixelFormat(ROWS, COLUMNS, 16, 16, 15, 1)


def frame(index: int) -> FrameRecord:
    return FrameRecord(f"1.2.{index}", 0, 1, f"wadors:{index}", EXPLICIT, SeriesInfo(), PIXEL)


def pixels(index: int) -> np.ndarray:
    return np.random.default_rng(index).integers(-2000, 2000, (ROWS, COLUMNS), np.int16)


@dataclass
class FakeSource:
    """Has raw frames; `answer` may replace a frame's payload (bytes, or an error). Counts what was asked."""

    answer: Callable[[int, int], bytes | VolstreamError] = lambda index, attempt: pixels(index).tobytes()
    asked: list[int] = field(default_factory=list)
    address: str = "fake"

    connections: int = 1
    host: str = "fake"
    at_once: bool = False
    skipped: list[tuple[str, str]] = field(default_factory=list)

    async def records(self) -> list[FrameRecord]:
        raise AssertionError("the plan is there already")

    def batch_size(self, record: FrameRecord) -> int:
        return 1

    async def fetch(self, wants: Sequence[Want], put: Put) -> Sequence[Want]:
        for want in wants:
            self.asked.append(want.index)
            answer = self.answer(want.index, self.asked.count(want.index))
            await put(want, answer if isinstance(answer, VolstreamError) else Payload(answer, EXPLICIT))
        return ()

    async def close(self) -> None: ...


def plan_of(count: int, gaps: tuple[int, ...] = ()) -> VolumePlan:
    slots = tuple(Slot(None if i in gaps else frame(i), IDENTITY) for i in range(count))
    return VolumePlan((count, ROWS, COLUMNS), np.dtype("int16"), Geometry(np.eye(4)), "", slots, -7, {})


@pytest.fixture
def segment() -> Iterator[Callable[[VolumePlan], Segment]]:
    made: list[Segment] = []

    def make(plan: VolumePlan) -> Segment:
        made.append(Segment.create(plan.shape, plan.dtype, {}, slices=len(plan.slots), fill=plan.fill))
        return made[-1]

    yield make
    for one in made:
        one.close()
