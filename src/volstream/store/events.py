"""What happens to a volume's slices, seen by comparing their states after each change.

Nothing is queued: a slow consumer sees the latest state of each slice, once, however late it looks.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import UsageError
from .changes import change, rest
from .states import FAILED, FULL, PENDING
from .waiting import Patience

if TYPE_CHECKING:
    from .volume import Volume


class Progress(NamedTuple):
    """How many slices are loaded, failed, and have an image at all."""

    loaded: int
    failed: int
    total: int

    @classmethod
    def of(cls, states: npt.NDArray[np.uint8], has_image: npt.NDArray[np.bool_], quality: int = FULL) -> Progress:
        mine = states[has_image]
        loaded = np.count_nonzero((mine >= quality) & (mine <= FULL))
        return cls(int(loaded), int(np.count_nonzero(mine == FAILED)), len(mine))

    @property
    def fraction(self) -> float:
        """Of slices that are loaded, 0 to 1."""
        return self.loaded / self.total if self.total else 1.0


@dataclass(frozen=True, slots=True)
class Event:
    """A slice got better, or failed.

    `extent` is the part of the array that this is about: (start, stop) along each axis. The counts are those of
    the moment in which the event was made.
    """

    index: int
    image_id: str | None
    state: int
    loaded: int
    failed: int
    total: int
    extent: tuple[tuple[int, int], ...]


class Events:
    """Iterator and async iterator of events; ends when nothing more will happen.

    It starts with the slices that are there already. If nothing happens for `timeout` seconds: TimeoutError. Events
    come in batches, those of one look; from one to the next it takes `interval` seconds, unless the load has ended.
    """

    def __init__(self, volume: Volume, timeout: float | None = None, interval: float = 0.0) -> None:
        if not 0 <= interval < math.inf:
            raise UsageError(f"an interval is a number of seconds, not {interval}")
        self._volume = volume
        self._timeout = timeout
        self._interval = interval
        self._due = -math.inf
        self._seen: npt.NDArray[np.uint8] = np.zeros(volume.segment.slices, np.uint8)
        self._sequence = 0
        self._ready: deque[Event] = deque()

    def __iter__(self) -> Iterator[Event]:
        return self

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    def __next__(self) -> Event:
        segment, patience = self._volume.segment, Patience(self._timeout)
        if (pause := self._pause()) > 0:
            self._volume.check_may_block()
            time.sleep(pause)
        while not self._ready:
            if not self._look():
                raise StopIteration
            if not self._ready:
                self._volume.check_may_block()
                with contextlib.suppress(UsageError):  # closed meanwhile
                    segment.wait_change(self._sequence, patience.nap())
        return self._ready.popleft()

    async def __anext__(self) -> Event:
        segment, patience = self._volume.segment, Patience(self._timeout)
        if (pause := self._pause()) > 0:
            await rest(pause)
        while not self._ready:
            if not self._look():
                raise StopAsyncIteration
            if not self._ready:
                await change(segment, self._sequence, patience.nap())
        return self._ready.popleft()

    def _pause(self) -> float:
        """How long the next look is to wait: the end does not."""
        return 0.0 if self._ready or self._volume.ended else self._due - time.monotonic()

    def _look(self) -> bool:
        """Compare the states with those seen last; False if nothing happened and nothing will."""
        segment, has_image = self._volume.segment, self._volume.has_image
        try:
            # In this order: what changes after the look wakes the wait, what came before the end is seen before it.
            self._sequence = segment.sequence
            over = self._volume.ended
            states = segment.states
        except UsageError:  # closed
            return False
        progress = Progress.of(states, has_image, self._volume.quality)
        for index in np.flatnonzero((states != self._seen) & (states != PENDING) & has_image).tolist():
            place = extent(self._volume.shape, segment.slices, index)
            self._ready.append(Event(index, self._volume.image_id(index), int(states[index]), *progress, place))
        self._seen = states
        if self._ready:
            self._due = time.monotonic() + self._interval
        return bool(self._ready) or not over


def extent(shape: tuple[int, ...], slices: int, index: int) -> tuple[tuple[int, int], ...]:
    """Where slice `index` lies in an array of this shape: (start, stop) along each axis."""
    leading = 1 if shape[0] == slices else 2
    place = np.unravel_index(index, shape[:leading])
    return (*((int(i), int(i) + 1) for i in place), *((0, length) for length in shape[leading:]))
