"""Threads that decode what is in a queue. The core does it without the GIL, so that they use every core."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from ..errors import UsageError, VolstreamError
from .budget import wake

if TYPE_CHECKING:
    from .._native import DecodeQueue

Ticket = TypeVar("Ticket")


def default_workers() -> int:
    """One a core this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


class Workers(Generic[Ticket]):
    """A fixed number of threads, until the queue is closed. `turn` is told, on them, what came of its tickets."""

    def __init__(
        self,
        queue: DecodeQueue[Ticket],
        turn: Callable[[list[tuple[Ticket, VolstreamError | None]]], None],
        count: int | None = None,
    ) -> None:
        if count is not None and count < 1:
            raise UsageError(f"workers must be at least 1, not {count}")
        self._queue, self._turn = queue, turn
        self._left = count = count or default_workers()
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._work, name=f"volstream-decode-{number}", daemon=True)
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    async def ended(self) -> None:
        """Until the queue is closed and the frames that were begun are over, and the threads with them."""
        await self._ended
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        try:
            while (finished := self._queue.run()) is not None:
                self._turn(finished)
        finally:
            with self._lock:
                self._left -= 1
                if not self._left:
                    wake(self._ended)
