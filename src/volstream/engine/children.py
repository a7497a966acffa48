"""The pool of decoding processes: started on demand, kept for the next load, ended with the interpreter."""

from __future__ import annotations

import atexit
import os
import threading

from ..errors import DecoderCrashedError
from .child import Child
from .decode import Task


class ChildPool:
    """Idle children of this process. A child is used by one thread at a time."""

    def __init__(self) -> None:
        self._idle: list[Child] = []
        self._lock = threading.Lock()
        self._pid = os.getpid()

    def run(self, segment: str, index: int, task: Task) -> tuple[float, float]:
        """Decode in some child; a child's death costs the frame one retry in a new one."""
        for attempt in (1, 2):
            child = self._take()
            try:
                result = child.decode(segment, index, task)
            except DecoderCrashedError:
                if attempt == 2:
                    raise
                continue
            except BaseException:
                self._give(child)
                raise
            self._give(child)
            return result
        raise AssertionError("unreachable")

    def forget(self) -> None:
        """A load has ended: idle children let go of its segment."""
        with self._lock:
            for child in self._idle:
                child.forget()

    def close(self) -> None:
        """End all idle children; the next use starts new ones."""
        with self._lock:
            idle, self._idle = self._idle, []
        if os.getpid() == self._pid:  # after a fork they are the parent's
            for child in idle:
                child.kill()

    def _take(self) -> Child:
        with self._lock:
            if os.getpid() != self._pid:
                self._idle, self._pid = [], os.getpid()
            while self._idle:
                child = self._idle.pop()
                if child.alive:
                    return child
                child.kill()
        return Child()

    def _give(self, child: Child) -> None:
        with self._lock:
            self._idle.append(child)


pool = ChildPool()
atexit.register(pool.close)
