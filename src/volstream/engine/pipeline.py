"""One volume's load: wants become bytes, bytes become voxels in place; states say how far it is.

Each slice goes through its chain of stages: the want for the next stage is put on the agenda when the bytes for one are
there, so that no byte is asked for twice. The last stage of its chain decides: the slice is there, or it failed.

Runs on whatever event loop calls `run`. Frames that need no request are taken by the workers themselves; for the others
connections take wants, one request each. Workers publish from their own threads, so that the loop hears of a frame only
when it must.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Iterable, Sequence, Set
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import DamagedError, SourceError, VolstreamError
from ..fetch.link import BULK, Link
from ..fetch.source import Fetched, Partial, Want
from ..plan.order import ranks
from ..plan.stages import COVERAGE, FULL_ONLY, Stage
from ..records import FrameRecord, Payload
from ..store.states import FAILED, FULL
from .agenda import Agenda
from .budget import ByteBudget, Lease, wake
from .chains import Chains
from .cost import beginning_of, decode_seconds
from .decoding import Decoding
from .options import EngineOptions
from .placing import Job, Placer, located
from .scheduler import scheduler
from .sizes import is_scalable
from .staging import stack_of, stages_after
from .workers import default_workers

if TYPE_CHECKING:
    from ..fetch.source import Source
    from ..plan import VolumePlan
    from ..store.segment import Segment

log = logging.getLogger("volstream.engine")

#: Frames that came damaged are asked for once more, after all others.
AGAIN = 1 << 16


class Pipeline:
    """Fills one segment after one plan. `errors` maps the index of a failed slice to its error."""

    def __init__(
        self,
        source: Source,
        plan: VolumePlan,
        segment: Segment,
        options: EngineOptions,
        stages: Sequence[Stage] | None = FULL_ONLY,
    ) -> None:
        self.errors: dict[int, VolstreamError] = {}
        self.budget = ByteBudget(options.in_flight)
        self._source = source
        self._plan = plan
        self._segment = segment
        self._options = options
        slices = len(plan.slots)
        self._count = stack_of(plan)
        self._ranks = places = ranks(slices, self._count, options.order)
        #: The slices that are to be had.
        self._wanted = set(range(slices))
        #: Slices that a run has begun and not brought to their final state.
        self._open = 0
        #: Frames that need no request, and those that do.
        self._here, self._there = Agenda(places), Agenda(places)
        #: None: the first frame has to tell how fast the link is.
        self._decided = stages is not None
        self._chains = Chains(segment, self._count, FULL_ONLY if stages is None else stages)
        #: What had come when a load was cancelled, and waited for a worker.
        self._kept: list[Job] = []
        self._decoding: Decoding | None = None
        self._lock = threading.Lock()

    def prioritize(self, slices: Iterable[int]) -> None:
        """Of what has not been sent yet, these come first; from any thread."""
        wanted = list(slices)
        self._here.prioritize(wanted)
        self._there.prioritize(wanted)
        with self._lock:
            if self._decoding is not None:
                self._decoding.put_back()

    @property
    def order(self) -> list[int]:
        """All slices, in the order in which they would be loaded."""
        return sorted(range(len(self._ranks)), key=lambda index: (self._chains.begin(index), self._ranks[index]))

    def want(self, slices: Iterable[int] | None = None) -> None:
        """These slices are to be had too, next; None: all. On the event loop, before a run or meanwhile."""
        if slices is None:
            new = set(range(len(self._ranks))) - self._wanted
        else:
            wanted = list(slices)
            new = set(wanted) - self._wanted
            self._here.append(wanted)
            self._there.append(wanted)
        self._wanted |= new
        with self._lock:
            is_running = self._open > 0
            self._open += is_running  # it does not end meanwhile
        if is_running:
            self._add(new)
            self._settle()

    def forget(self) -> None:
        """No slice is to be had, until somebody wants it."""
        self._wanted.clear()

    def lacks(self, quality: int) -> bool:
        """A slice that is to be had has not got this quality, and has not failed."""
        return any(self._segment.state(index) < quality for index in self._wanted)

    async def run(self) -> None:
        """Load every slice that is wanted and pending. Ends when all have a final state.

        Cancelling it leaves the slices that are there valid and the rest pending. One that failed is loaded again when
        its state has been reset.
        """
        self._loop = asyncio.get_running_loop()
        self._finished: asyncio.Future[None] = self._loop.create_future()
        self._news = asyncio.Event()
        self._asked_again: set[int] = set()
        self.budget = ByteBudget(self._options.in_flight, self._look)
        self._lane = scheduler.lane(self._source.host, self._source.connections, lambda: self._there.is_urgent)
        self._placer = Placer(self._segment, self._options.executor)
        self._decoding = decoding = Decoding(
            self._placer,
            self._plan.slots,
            self._count,
            self._here,
            self._chains,
            self._options.workers,
            self._told,
            lambda under_way: self.budget.is_waiting or under_way >= self._open,
        )
        connections: list[asyncio.Task[None]] = []
        try:
            if not self._decided and self._source.link is None:
                await self._explore_here()
            self._begin()
            if self._there.first() is not None and not self._decided:
                await self._explore()
            if self._there.first() is not None and self._source.at_once:
                await self._fetch_at_once()
            connections = [asyncio.create_task(self._connection()) for _ in range(self._source.connections)]
            for connection in connections:
                connection.add_done_callback(self._connection_ended)
            await self._finished
        finally:
            with self._lock:
                self._open = 0
                self._decoding = None
            decoding.stop()
            self._here.clear()
            self._there.clear()
            for connection in connections:
                connection.cancel()
            stopped = asyncio.ensure_future(decoding.stopped())
            try:
                await see_out(asyncio.gather(*connections, stopped, return_exceptions=True))
            finally:
                self._kept += stopped.result()
                self._placer.close()

    def _begin(self) -> None:
        """Put everything that is wanted and missing on the agendas."""
        assert self._decoding is not None
        self._open = 1  # it does not end before all is there
        for index, slot in enumerate(self._plan.slots):
            if slot.record is None and self._segment.state(index) != FAILED:
                self._placer.fail(index)
        arrived = [job for job in self._kept if job.want.index in self._wanted]
        self._kept = [job for job in self._kept if job.want.index not in self._wanted]
        self._add(self._wanted, {job.want.index for job in arrived if self._chains.is_last(job.want)})
        for job in arrived:
            self.budget.force(job.leased)
            self._decoding.put(job)
        self._settle()

    def _add(self, slices: Iterable[int], arrived: Set[int] = frozenset()) -> None:
        """Put what these slices lack on the agendas, unless the last of it has arrived."""
        assert self._decoding is not None
        for index in slices:
            record = self._plan.slots[index].record
            if record is None or self._segment.state(index) == FAILED:
                continue
            if (want := self._chains.next(index, record)) is None:
                continue
            self.errors.pop(index, None)
            with self._lock:
                self._open += 1
            if index not in arrived:
                (self._there if record.location is None else self._here).add(want)
        self._news.set()
        self._decoding.more_here()

    # On the event loop: frames that need a request.

    async def _explore(self) -> None:
        """Fetch the first frame, or its beginning, alone, and decide by it how to go on."""
        link = self._source.link
        assert link is not None
        (want,) = self._there.take()
        if is_scalable(want.record.transfer_syntax):
            want = replace(want, size=BULK, reduce=COVERAGE[0].reduce, step=-1)
        before = link.received
        async with self._lane:
            await self._request([want], Lease(self.budget, 0))
        held = self._chains.held.get(want.index)
        frame_bytes = link.received - before if held is None else held.total
        await self._decide(want.record, link, frame_bytes, held and held.data)
        for want in self._there.take(len(self._ranks), any_instance=True):
            if (staged := self._chains.next(want.index, want.record)) is not None:
                self._there.add(staged)

    async def _explore_here(self) -> None:
        """The same for frames that need no request."""
        first = min(self._wanted, key=self._ranks.__getitem__, default=None)
        record = None if first is None else self._plan.slots[first].record
        if record is not None and record.location is not None:
            with contextlib.suppress(VolstreamError):  # the slice itself will say so
                await self._decide(record, None, 0, await asyncio.to_thread(beginning_of, record.location))

    async def _decide(self, record: FrameRecord, link: Link | None, frame_bytes: int, beginning: Any) -> None:
        """How to go on, for all that is pending."""
        useful, seconds = self._chains.sizes.useful, 0.0
        if beginning is not None:
            seconds = await asyncio.to_thread(decode_seconds, record.pixel, record.transfer_syntax, beginning)
        pending = int((self._segment.states < FULL).sum())
        decoding = pending * seconds / (self._options.workers or default_workers())
        requests = pending / self._source.connections
        self._chains.follow(stages_after(link, pending * frame_bytes, decoding, requests, useful))
        self._decided = True

    async def _fetch_at_once(self) -> None:
        """With one request, whose answer is read as fast as frames are taken; what it leaves out stays wanted."""
        async with self._lane:
            wants = self._there.take(len(self._ranks), any_instance=True)
            await self._request([self._chains.sized(want) for want in wants], Lease(self.budget, 0))

    async def _connection(self) -> None:
        while True:
            want = self._there.first()
            if want is None:
                self._news.clear()
                await self._news.wait()
                continue
            count = self._source.batch_size(want.record)
            size = min(self.budget.limit, count * _cost(self._chains.sized(want))) or 1
            await self.budget.acquire(size)
            lease = Lease(self.budget, size)
            try:
                async with self._lane:
                    wants = self._there.take(count)
                    await self._request([self._chains.sized(want) for want in wants], lease)
            finally:
                lease.close()

    async def _request(self, wants: Sequence[Want], lease: Lease) -> None:
        """Fetch some wants; whatever happens, each of them is put, asked for again, or fails."""
        missing = {want.index: want for want in wants}

        async def put(want: Want, result: Fetched) -> None:
            del missing[want.index]
            await self._put(lease, want, result)

        error: VolstreamError = SourceError("the source did not deliver this frame")
        try:
            for want in await self._source.fetch(wants, put) if wants else ():
                self._there.add(missing.pop(want.index))
                self._news.set()
        except VolstreamError as lost:  # the source as a whole
            error = lost
        for want in missing.values():
            self._lost(want, copy(error))

    def _connection_ended(self, connection: asyncio.Task[None]) -> None:
        if not connection.cancelled() and (defect := connection.exception()) and not self._finished.done():
            self._finished.set_exception(defect)

    async def _put(self, lease: Lease, want: Want, result: Fetched) -> None:
        if isinstance(result, VolstreamError):
            self._lost(want, result)
            return
        if isinstance(result, Partial):
            size = len(result.data)
            self._chains.held[want.index] = result
            if not self._decided:
                self._chains.sizes.learn(want.record.pixel, Payload(result.data, result.transfer_syntax))
            following = self._chains.after(want)
            payload = Payload(result.data, result.transfer_syntax)
        else:
            size = max(_cost(want), want.record.pixel.frame_bytes)
            self._chains.held.pop(want.index, None)
            following = None
            if want.reduce or not self._decided:
                self._chains.sizes.learn(want.record.pixel, result)
            want = replace(want, reduce=0, size=None) if want.reduce else want
            payload = result
        job = Job(want, payload, self._plan.slots[want.index].rescale, size)
        try:
            await lease.hand_on(size)
        except asyncio.CancelledError:
            self._kept.append(job)
            raise
        if self._decoding is None:  # cancelled
            self._kept.append(job)
        else:
            self._decoding.put(job)
        if following is not None:
            self._there.add(following)
            self._news.set()

    def _lost(self, want: Want, error: VolstreamError) -> None:
        """A request came to nothing: so has the slice, unless a later stage is to come."""
        following = self._chains.after(want) if want.reduce else None
        if following is None:
            self._fail(want, error)
        else:
            self._there.add(following)
            self._news.set()

    # On any thread.

    def _told(self, job: Job, error: VolstreamError | None) -> None:
        """A job is over."""
        want, is_last = job.want, self._chains.is_last(job.want)
        self.budget.release(job.leased)
        if error is None:
            if is_last:
                self._settle()
        # Bytes that a network delivered may have been damaged on the way; a file will not change.
        elif isinstance(error, DamagedError) and job.leased and is_last and want.index not in self._asked_again:
            log.warning("slice %d came damaged; it is fetched once more", want.index)
            self._asked_again.add(want.index)
            self._chains.held.pop(want.index, None)
            self._there.add(Want(want.index, want.record, step=AGAIN))
            self._loop.call_soon_threadsafe(self._news.set)
        elif is_last:
            self._fail(want, error)
        else:
            log.debug("slice %d has no preview: %s", want.index, error)

    def _fail(self, want: Want, error: VolstreamError) -> None:
        self.errors[want.index] = located(error, want)
        log.warning("slice %d failed: %s", want.index, type(error).__name__)
        log.debug("slice %d: %s", want.index, error)
        self._placer.fail(want.index)
        self._settle()

    def _settle(self) -> None:
        """One more slice has its final state."""
        with self._lock:
            self._open -= 1
            is_last = not self._open
        if is_last:
            wake(self._finished)
        self._look()

    def _look(self) -> None:
        if (decoding := self._decoding) is not None:
            decoding.look()


def _cost(want: Want) -> int:
    """Bytes that a want will probably bring: a frame is rarely larger than uncompressed."""
    return want.size or want.record.pixel.frame_bytes


async def see_out(future: asyncio.Future[Any]) -> None:
    """Until `future` is done, even if cancelled meanwhile: what it stands for uses the segment."""
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
