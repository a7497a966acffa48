"""Threads that take jobs from one queue and put frames in place.

A native decode releases the GIL, so threads use every core. With `executor="processes"`, and for frames that only a
plugin can decode, a thread hands its job to a child process and waits for the answer.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from ..errors import DamagedError, ResourceError, UnsupportedError, UsageError, VolstreamError
from .children import pool
from .decode import Job, decode_native, task_of

if TYPE_CHECKING:
    from ..store.segment import Segment

Executor = Literal["threads", "processes"]
#: Called on a worker's thread when a job is over: the value range, or the error.
Done = Callable[[Job, tuple[float, float] | VolstreamError], None]


def default_workers() -> int:
    """One a core this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


class Workers:
    """A fixed number of decoding threads for one segment; started with the first job, ended by `close`."""

    def __init__(
        self, segment: Segment, done: Done, *, count: int | None = None, executor: Executor = "threads"
    ) -> None:
        if executor not in ("threads", "processes"):
            raise UsageError(f"executor must be 'threads' or 'processes', not {executor!r}")
        if count is not None and count < 1:
            raise UsageError(f"workers must be at least 1, not {count}")
        self._segment = segment
        self._dtype = segment.array.dtype.name
        self._done = done
        self._count = count or default_workers()
        self._remote = executor == "processes"
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, job: Job) -> None:
        self._jobs.put(job)
        if len(self._threads) < self._count:
            thread = threading.Thread(target=self._work, name=f"volstream-decode-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def drop(self) -> list[Job]:
        """Take back the jobs that no thread has begun."""
        dropped: list[Job] = []
        while True:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return dropped
            if job is not None:
                dropped.append(job)

    def close(self) -> None:
        """End the threads once the jobs they have begun are over."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        pool.forget()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._done(job, self._decode(job))

    def _decode(self, job: Job) -> tuple[float, float] | VolstreamError:
        segment = self._segment
        try:
            segment.prepare(job.index)
            if self._remote:
                return self._decode_in_child(job)
            try:
                return decode_native(job, segment.voxels, segment.slice_bytes, self._dtype)
            except UnsupportedError:
                return self._decode_in_child(job)
        except VolstreamError as error:
            failure = error
        except MemoryError:
            failure = ResourceError("out of memory while decoding")
        except Exception as error:
            failure = DamagedError(f"{type(error).__name__} while decoding: {error}")
            failure.__cause__ = error
        return failure.located(uid=job.record.uid, index=job.index, address=job.record.address)

    def _decode_in_child(self, job: Job) -> tuple[float, float]:
        return pool.run(self._segment.name, task_of(job, self._segment.slice_bytes, self._dtype))
