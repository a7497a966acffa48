"""How many bytes may be in flight: asked for, received, or waiting for a worker."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable


class ByteBudget:
    """`acquire` waits on the event loop, first come first served; `release` may be called from any thread.

    What is larger than the whole budget is let through alone, so that nothing waits for ever. `on_wait` is called when
    somebody begins to wait.
    """

    def __init__(self, limit: int, on_wait: Callable[[], None] = lambda: None) -> None:
        self.limit = limit
        self._on_wait = on_wait
        self.peak = 0
        self._used = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._lock = threading.Lock()

    async def acquire(self, size: int) -> None:
        """Wait until `size` bytes more may be in flight."""
        with self._lock:
            if not self._waiting and self._fits(size):
                self._take(size)
                return
            ticket = asyncio.get_running_loop().create_future()
            self._waiting.append((size, ticket))
        self._on_wait()
        try:
            await ticket
        except asyncio.CancelledError:
            with self._lock:
                waiting = len(self._waiting)
                self._waiting = deque(entry for entry in self._waiting if entry[1] is not ticket)
                was_granted = len(self._waiting) == waiting
            self.release(size if was_granted else 0)
            raise

    @property
    def is_waiting(self) -> bool:
        """Somebody waits for bytes to be released."""
        return bool(self._waiting)

    def force(self, size: int) -> None:
        """For bytes that are there already, allowed or not."""
        with self._lock:
            self._take(size)

    def release(self, size: int) -> None:
        with self._lock:
            self._used -= size
            while self._waiting and self._fits(self._waiting[0][0]):
                wanted, ticket = self._waiting.popleft()
                self._take(wanted)
                wake(ticket)

    def _fits(self, size: int) -> bool:
        return self._used == 0 or self._used + size <= self.limit

    def _take(self, size: int) -> None:
        self._used += size
        self.peak = max(self.peak, self._used)


class Lease:
    """What a request may bring, taken before it is sent; handed on to the frames that it brings."""

    def __init__(self, budget: ByteBudget, size: int) -> None:
        self._budget = budget
        self._left = size

    async def hand_on(self, size: int) -> None:
        """Give `size` bytes to a frame. When nothing is left, wait for more; if it is only too little, take it."""
        if not self._left:
            await self._budget.acquire(size)
        else:
            self._budget.force(max(0, size - self._left))
            self._left = max(0, self._left - size)

    def close(self) -> None:
        """Give back what no frame got."""
        self._budget.release(self._left)
        self._left = 0


def wake(future: asyncio.Future[None]) -> None:
    """From any thread, let whoever awaits it go on, unless it was cancelled meanwhile."""
    loop = future.get_loop()
    if asyncio._get_running_loop() is loop:
        loop.call_soon(_set, future)  # no system call
    else:
        loop.call_soon_threadsafe(_set, future)


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
