"""One load: frames from a source, through workers, into the segment; states say how far it is.

Runs on whatever event loop calls `run`. Workers publish from their own threads, so the loop hears of a frame only
when it must: to hand out budget, and at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import DamagedError, ResourceError, SourceError, UsageError, VolstreamError
from ..records import FrameRecord, Payload
from ..store.segment import FAILED, FULL
from .budget import ByteBudget
from .decode import Job
from .workers import Executor, Workers

if TYPE_CHECKING:
    from ..fetch.source import Source
    from ..plan import VolumePlan
    from ..store.segment import Segment

log = logging.getLogger("volstream.engine")


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How frames are decoded.

    executor: "threads" (default), or "processes" where a codec crash must not end the caller.
    workers: how many; default one a core this process may use.
    in_flight: bytes of encoded data held at once, from request to decoded, default 64 MiB.
    """

    executor: Executor = "threads"
    workers: int | None = None
    in_flight: int = 64 << 20

    def __post_init__(self) -> None:
        if self.in_flight < 1:
            raise UsageError(f"in_flight must be positive, not {self.in_flight}")


class Pipeline:
    """Fills one segment after one plan. `errors` maps the index of a failed slice to its error."""

    def __init__(self, source: Source, plan: VolumePlan, segment: Segment, options: EngineOptions) -> None:
        self.errors: dict[int, VolstreamError] = {}
        self.budget = ByteBudget(options.in_flight)
        self._source = source
        self._plan = plan
        self._segment = segment
        self._options = options
        self._index = {slot.record.address: i for i, slot in enumerate(plan.slots) if slot.record is not None}
        self._again: list[int] = []
        self._may_retry = True
        self._lock = threading.Lock()
        self._unfinished = 0
        self._settled: asyncio.Future[None] | None = None

    async def run(self) -> None:
        """Load every slice that is pending. Ends when all have a final state; cancelling it leaves the slices that are
        there valid and the rest pending. One that failed is loaded again when its state has been reset."""
        states = self._segment.states
        todo = [i for i in self._index.values() if states[i] not in (FULL, FAILED)]
        for index in todo:
            self.errors.pop(index, None)
        self._again.clear()
        # Taking the volume's memory lasts as long as decoding into it, so both go on at once. A worker takes what its
        # slice needs before it writes, and fails if there is none: that is told; this here need not be.
        reserving = asyncio.ensure_future(asyncio.to_thread(self._segment.reserve))
        reserving.add_done_callback(_tell_of_failure)
        try:
            self._fill_gaps()
            self._may_retry = True
            await self._load(todo)
            self._may_retry = False
            if self._again:
                log.warning("%d damaged frames are fetched once more", len(self._again))
                todo, self._again = self._again, []
                await self._load(todo)
        finally:
            await _see_out(reserving)

    async def _load(self, todo: list[int]) -> None:
        workers = Workers(self._segment, self._done, count=self._options.workers, executor=self._options.executor)
        missing = set(todo)
        stream = self._source.stream(self._wanted(deque(todo)), self.budget)
        try:
            async with contextlib.aclosing(stream):
                async for record, payload in stream:
                    index = self._index[record.address]
                    missing.discard(index)
                    if isinstance(payload, Payload):
                        with self._lock:
                            self._unfinished += 1
                        workers.submit(Job(index, record, payload, self._plan.slots[index].rescale))
                    else:
                        self._fail(index, payload)
                        self.budget.release(record)
            for index in missing:
                self._fail(index, SourceError("the source did not deliver this frame"))
        except VolstreamError as error:  # the source as a whole is lost
            for index in missing:
                self._fail(index, copy(error))
        except BaseException:
            for job in workers.drop():
                self._finish(job)
            raise
        finally:
            try:
                await self._wait_settled()
            finally:
                workers.close()

    def _wanted(self, todo: deque[int]) -> Iterator[FrameRecord]:
        while todo:
            record = self._plan.slots[todo.popleft()].record
            assert record is not None
            yield record

    def _fill_gaps(self) -> None:
        """Slots without an image get the fill value, and say that nothing is there."""
        for i, slot in enumerate(self._plan.slots):
            if slot.record is None and self._segment.state(i) != FAILED:
                self._segment.blank(i)
                self._segment.publish(i, FAILED)

    def _done(self, job: Job, result: tuple[float, float] | VolstreamError) -> None:
        """On a worker's thread: a job is over."""
        if isinstance(result, VolstreamError):
            # Bytes that a network delivered may have been damaged on the way; a file will not change.
            if self._may_retry and isinstance(result, DamagedError) and job.record.location is None:
                with self._lock:
                    self._again.append(job.index)
            else:
                self._fail(job.index, result)
        else:
            self._segment.publish(job.index, FULL, *result)
        self._finish(job)

    def _finish(self, job: Job) -> None:
        self.budget.release(job.record)
        with self._lock:
            self._unfinished -= 1
            if self._unfinished == 0 and self._settled is not None:
                self._settled.get_loop().call_soon_threadsafe(_settle, self._settled)
                self._settled = None

    async def _wait_settled(self) -> None:
        """Until no worker holds a job any more: they write to the segment."""
        with self._lock:
            if self._unfinished == 0:
                return
            self._settled = settled = asyncio.get_running_loop().create_future()
        await _see_out(settled)

    def _fail(self, index: int, error: VolstreamError) -> None:
        record = self._plan.slots[index].record
        assert record is not None
        self.errors[index] = error.located(uid=record.uid, index=index, address=record.address)
        log.warning("slice %d failed: %s", index, type(error).__name__)
        log.debug("slice %d: %s", index, error)
        with contextlib.suppress(ResourceError):
            self._segment.blank(index)
        self._segment.publish(index, FAILED)


async def _see_out(future: asyncio.Future[None]) -> None:
    """Until `future` is done, even if cancelled meanwhile: what it stands for uses the segment."""
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


def _tell_of_failure(reserving: asyncio.Future[None]) -> None:
    if not reserving.cancelled() and reserving.exception() is not None:
        log.warning("the volume's memory could not be reserved: %s", reserving.exception())


def _settle(settled: asyncio.Future[None]) -> None:
    if not settled.done():
        settled.set_result(None)
