"""Waiting for a segment's changes under asyncio: one thread a segment sleeps for all who await it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import weakref
from typing import TYPE_CHECKING

from ..errors import UsageError

if TYPE_CHECKING:
    from .segment import Segment

_watchers: weakref.WeakKeyDictionary[Segment, _Watcher] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def _forget_watchers() -> None:
    """In a forked child: its parent's threads are not there, and one may have held the lock."""
    global _lock
    _lock = threading.Lock()
    _watchers.clear()


os.register_at_fork(after_in_child=_forget_watchers)


async def change(segment: Segment, sequence: int, seconds: float) -> None:
    """Return when the segment's sequence differs from `sequence`, or after `seconds`."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    with _lock:
        watcher = _watchers.get(segment)
        if watcher is None:
            watcher = _watchers[segment] = _Watcher()
        watcher.add(segment, sequence, future)
    try:
        if _sequence(segment) == sequence:  # else the change came before the watcher knew of us
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(future, seconds)
    finally:
        with _lock:
            watcher.waiting.pop(future, None)


async def rest(seconds: float) -> None:
    """Look at nothing for so long."""
    await asyncio.sleep(seconds)


class _Watcher:
    """A thread that lives while anybody waits; guarded by `_lock`."""

    def __init__(self) -> None:
        self.waiting: dict[asyncio.Future[None], int] = {}
        self._running = False

    def add(self, segment: Segment, sequence: int, future: asyncio.Future[None]) -> None:
        self.waiting[future] = sequence
        if not self._running:
            self._running = True
            threading.Thread(target=self._watch, args=(segment,), name="volstream-watch", daemon=True).start()

    def _watch(self, segment: Segment) -> None:
        while True:
            now = _sequence(segment)
            with _lock:
                for future in [future for future, sequence in self.waiting.items() if sequence != now]:
                    del self.waiting[future]
                    _wake(future)
                if not self.waiting:
                    self._running = False
                    return
            with contextlib.suppress(UsageError):
                segment.wait_change(now, 0.1)


def _sequence(segment: Segment) -> int:
    """-1, which differs from every other, once the segment is closed."""
    try:
        return segment.sequence
    except UsageError:
        return -1


def _wake(future: asyncio.Future[None]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody waits any more
        future.get_loop().call_soon_threadsafe(lambda: None if future.done() else future.set_result(None))
