"""How many encoded bytes may be in flight: asked for, received, or waiting for a worker."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Sequence
from typing import TypeAlias

from ..records import FrameRecord

_Ticket: TypeAlias = "tuple[Sequence[FrameRecord], asyncio.Future[None]]"


class ByteBudget:
    """A lease for each frame, of the size it has uncompressed: what arrives is rarely more.

    `acquire` waits on the event loop, first come first served; `release` may be called from any thread. Frames that
    are larger than the whole budget are let through alone, so that nothing waits for ever.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.peak = 0
        self._used = 0
        self._leases: dict[str, int] = {}
        self._waiting: deque[_Ticket] = deque()
        self._lock = threading.Lock()

    async def acquire(self, records: Sequence[FrameRecord]) -> None:
        """Wait until all of `records` fit, and take their leases at once."""
        with self._lock:
            if not self._waiting and self._fits(records):
                self._take(records)
                return
            ticket = asyncio.get_running_loop().create_future()
            self._waiting.append((records, ticket))
        try:
            await ticket
        except asyncio.CancelledError:
            with self._lock:
                self._waiting = deque(entry for entry in self._waiting if entry[1] is not ticket)
            for record in records:
                self.release(record)
            raise

    def release(self, record: FrameRecord) -> None:
        """Give a frame's lease back; without effect if it has none."""
        with self._lock:
            self._used -= self._leases.pop(record.address, 0)
            while self._waiting and self._fits(self._waiting[0][0]):
                records, ticket = self._waiting.popleft()
                self._take(records)
                ticket.get_loop().call_soon_threadsafe(_grant, ticket)

    def _fits(self, records: Sequence[FrameRecord]) -> bool:
        return self._used == 0 or self._used + sum(record.pixel.frame_bytes for record in records) <= self.limit

    def _take(self, records: Sequence[FrameRecord]) -> None:
        for record in records:
            self._leases[record.address] = record.pixel.frame_bytes
            self._used += record.pixel.frame_bytes
        self.peak = max(self.peak, self._used)


def _grant(ticket: asyncio.Future[None]) -> None:
    if not ticket.done():
        ticket.set_result(None)
