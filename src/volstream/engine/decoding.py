"""The workers' side of a load: bytes that have come, and those that need no request, become voxels in place.

The core's threads do it alone wherever they can; what needs more (previews, plugins, other processes, slices made up
from neighbours) they hand back to be done here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from .._native import DecodeQueue
from ..errors import UnsupportedError, VolstreamError
from ..fetch.cut import cut
from ..plan import Slot
from ..records import Payload
from .agenda import Agenda
from .chains import Chains
from .placing import Job, Placer, located
from .workers import Workers

#: Frames that need no request are taken from the agenda so many at a time, and of so many bytes together.
MOST_FRAMES, MOST_BYTES = 64, 4 << 20


class Decoding:
    """Of one run, on an event loop. `tell` learns of every job once it is over, on whatever thread that is found out.

    That a job went well is found out when somebody looks: with the next `put`, or as soon as `is_urgent` says so.
    """

    def __init__(
        self,
        placer: Placer,
        slots: Sequence[Slot],
        count: int,
        here: Agenda,
        chains: Chains,
        workers: int | None,
        tell: Callable[[Job, VolstreamError | None], None],
        is_urgent: Callable[[int], bool],
    ) -> None:
        """Of a volume that is made of stacks of `count` slices."""
        self._slots, self._count, self._here, self._chains = slots, count, here, chains
        self._tell, self._is_urgent = tell, is_urgent
        self._under_way = 0
        self._lock, self._looking = threading.Lock(), threading.Lock()
        self._queue: DecodeQueue[Job] = DecodeQueue()
        self._placer = placer
        self._workers = Workers(self._queue, self._turn, workers)

    def put(self, job: Job) -> None:
        """Bytes that have come."""
        self._change(1)
        self._submit(job)
        self.collect()
        self.look()

    def more_here(self) -> None:
        """The agenda of what needs no request has got more, or another order."""
        self._queue.set_hungry(True)

    def collect(self) -> None:
        """Tell of what has been done."""
        self._over([(job, None) for job in self._queue.done()])

    def look(self) -> None:
        """Whether it is urgent to tell may have changed."""
        with self._looking:  # what was seen last is said last
            self._queue.set_eager(self._is_urgent(self._under_way))

    def put_back(self) -> None:
        """What nobody has begun takes its place in a new order."""
        for job in self._queue.take_back():
            if job.leased or job.want.reduce:
                self._submit(job)
            else:
                self._here.add(job.want)
                self._change(-1)
        self.more_here()

    def stop(self) -> None:
        """Begin nothing more."""
        self._queue.close()

    async def stopped(self) -> list[Job]:
        """Until what was begun is over; gives back what has come and was not begun."""
        await self._workers.ended()
        self.collect()
        return [job for job in self._queue.take_back() if job.leased]

    # On the workers' threads.

    def _turn(self, finished: list[tuple[Job, VolstreamError | None]]) -> None:
        self._over(finished)
        if not self._queue.waiting:
            self._feed()
        self.look()

    def _feed(self) -> None:
        first = self._here.first()
        if first is None:
            self._queue.set_hungry(False)
            if self._here.first() is not None:  # it has got one meanwhile
                self.more_here()
            return
        frame_bytes = first.record.pixel.frame_bytes
        count = max(1, min(MOST_FRAMES, MOST_BYTES // max(1, frame_bytes)))
        for want in self._here.take(count, any_instance=True):
            location, size = want.record.location, self._chains.sizes.of(want)
            assert location is not None
            if size is None:
                want = replace(want, reduce=0) if want.reduce else want
            else:
                location = cut(location, size)
                if (following := self._chains.after(want)) is not None:
                    self._here.add(following)
            self._change(1)
            self._submit(Job(want, Payload(location, want.record.transfer_syntax), self._slots[want.index].rescale))

    def _over(self, finished: list[tuple[Job, VolstreamError | None]]) -> None:
        for job, error in finished:
            if isinstance(error, UnsupportedError):
                error = self._place(job)
            self._change(-1)
            self._tell(job, error and located(error, job.want))

    def _place(self, job: Job) -> VolstreamError | None:
        """Do what the core could not do alone."""
        want, payload = job.want, job.payload
        if want.reduce:
            try:
                want, payload = self._chains.sizes.best(want, payload)
            except VolstreamError as error:
                return error
        failure = self._placer.place(Job(want, payload, job.rescale))
        if failure is None and (fill := self._chains.fill_of(want)):
            self._placer.make_up(want.index, self._count, fill)
        return failure

    def _submit(self, job: Job) -> None:
        if self._chains.fill_of(job.want):
            self._queue.put(job)
        else:
            self._placer.submit(self._queue, job)

    def _change(self, by: int) -> None:
        with self._lock:
            self._under_way += by
