"""How many encoded bytes may be in flight: asked for, received, or waiting for a worker."""

from __future__ import annotations

import asyncio
import threading
from collections import deque

from ..records import FrameRecord


class ByteBudget:
    """Leases by frame. `acquire` waits on the event loop; `release` may be called from any thread.

    A frame larger than the whole budget is let through alone, so that nothing waits for ever.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.peak = 0
        self._used = 0
        self._leases: dict[str, int] = {}
        self._waiting: deque[tuple[int, str, asyncio.Future[None]]] = deque()
        self._lock = threading.Lock()

    async def acquire(self, record: FrameRecord, nbytes: int) -> None:
        with self._lock:
            if not self._waiting and self._fits(nbytes):
                self._take(record.address, nbytes)
                return
            ticket = asyncio.get_running_loop().create_future()
            self._waiting.append((nbytes, record.address, ticket))
        try:
            await ticket
        except asyncio.CancelledError:
            with self._lock:
                self._waiting = deque(entry for entry in self._waiting if entry[2] is not ticket)
            self.release(record)
            raise

    def release(self, record: FrameRecord) -> None:
        """Give a frame's lease back; without effect if it has none."""
        with self._lock:
            self._used -= self._leases.pop(record.address, 0)
            while self._waiting and self._fits(self._waiting[0][0]):
                nbytes, address, ticket = self._waiting.popleft()
                self._take(address, nbytes)
                ticket.get_loop().call_soon_threadsafe(_grant, ticket)

    def _fits(self, nbytes: int) -> bool:
        return self._used == 0 or self._used + nbytes <= self.limit

    def _take(self, address: str, nbytes: int) -> None:
        self._leases[address] = self._leases.get(address, 0) + nbytes
        self._used += nbytes
        self.peak = max(self.peak, self._used)


def _grant(ticket: asyncio.Future[None]) -> None:
    if not ticket.done():
        ticket.set_result(None)
