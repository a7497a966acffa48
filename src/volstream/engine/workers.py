"""Threads that do what is put before them. Native decodes release the GIL, so that threads use every core."""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import Callable

from ..errors import UsageError
from .budget import wake


def default_workers() -> int:
    """One a core this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


class Workers:
    """A fixed number of threads; started with the first jobs, ended by `close`. A job raises nothing."""

    def __init__(self, count: int | None = None) -> None:
        if count is not None and count < 1:
            raise UsageError(f"workers must be at least 1, not {count}")
        self._count = count or default_workers()
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._unfinished = 0
        self._idle: asyncio.Future[None] | None = None
        self._lock = threading.Lock()

    def submit(self, job: Callable[[], None]) -> None:
        with self._lock:
            self._unfinished += 1
            if len(self._threads) < self._count:
                thread = threading.Thread(target=self._work, name=f"volstream-decode-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()
        self._jobs.put(job)

    def drop(self) -> None:
        """Forget the jobs that no thread has begun."""
        while True:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return
            if job is not None:
                self._finish()

    async def idle(self) -> None:
        """Until no job is left or under way."""
        with self._lock:
            if not self._unfinished:
                return
            self._idle = idle = asyncio.get_running_loop().create_future()
        await idle

    def close(self) -> None:
        """End the threads once the jobs they have begun are over."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            self._finish()

    def _finish(self) -> None:
        with self._lock:
            self._unfinished -= 1
            if not self._unfinished and self._idle is not None:
                wake(self._idle)
                self._idle = None
