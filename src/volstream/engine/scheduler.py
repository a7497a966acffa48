"""Who may send the next request, of all volumes that load in this process.

A volume's requests wait in its lane. A slot becomes free when a request ends; it goes to a lane whose host has room:
first to one whose next want is urgent, then to the one that has had the fewest slots, so that volumes fill side by
side. Which slice the request is for, the volume's agenda says, once the slot is there.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from .budget import wake

#: Requests in flight to all hosts together.
MOST_REQUESTS = 64


@dataclass(eq=False, slots=True)
class _Ticket:
    future: asyncio.Future[None]
    granted: bool = False


@dataclass(eq=False)
class Lane:
    """One volume's way to its host: `async with lane` is one request."""

    scheduler: Scheduler
    host: str
    #: Requests in flight to this host, of all volumes.
    limit: int
    is_urgent: Callable[[], bool]
    granted: int = 0
    waiting: deque[_Ticket] = field(default_factory=deque)

    async def __aenter__(self) -> None:
        await self.scheduler.acquire(self)

    async def __aexit__(self, *exception: object) -> None:
        self.scheduler.release(self)


class Scheduler:
    """For any thread: volumes load on event loops of their own."""

    def __init__(self, limit: int = MOST_REQUESTS) -> None:
        self._limit = limit
        self._busy = 0
        self._busy_hosts: Counter[str] = Counter()
        self._lanes: weakref.WeakSet[Lane] = weakref.WeakSet()
        self._waiting = 0
        self._lock = threading.Lock()

    def lane(self, host: str, limit: int, is_urgent: Callable[[], bool]) -> Lane:
        """A lane for one more volume; it starts level with the others."""
        with self._lock:
            level = min((lane.granted for lane in self._lanes if lane.waiting), default=0)
            lane = Lane(self, host, limit, is_urgent, level)
            self._lanes.add(lane)
            return lane

    async def acquire(self, lane: Lane) -> None:
        with self._lock:
            # Where there is room nobody else waits for it.
            if self._has_room(lane):
                self._take(lane)
                return
            ticket = _Ticket(asyncio.get_running_loop().create_future())
            lane.waiting.append(ticket)
            self._waiting += 1
        try:
            await ticket.future
        except asyncio.CancelledError:
            with self._lock:
                if not ticket.granted:
                    lane.waiting.remove(ticket)
                    self._waiting -= 1
            if ticket.granted:
                self.release(lane)
            raise

    def release(self, lane: Lane) -> None:
        with self._lock:
            self._busy -= 1
            self._busy_hosts[lane.host] -= 1
            while self._waiting:
                waiting = [lane for lane in self._lanes if lane.waiting and self._has_room(lane)]
                if not waiting:
                    return
                chosen = min(waiting, key=lambda lane: (not lane.is_urgent(), lane.granted))
                ticket = chosen.waiting.popleft()
                self._waiting -= 1
                ticket.granted = True
                self._take(chosen)
                wake(ticket.future)

    def _has_room(self, lane: Lane) -> bool:
        return self._busy < self._limit and self._busy_hosts[lane.host] < lane.limit

    def _take(self, lane: Lane) -> None:
        lane.granted += 1
        self._busy += 1
        self._busy_hosts[lane.host] += 1


#: The one of this process.
scheduler = Scheduler()
