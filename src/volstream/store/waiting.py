"""Has what somebody waits for arrived, and can it still?"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..errors import CancelledError, SegmentError, UsageError, VolstreamError
from .states import ENDED, FAILED, FULL

if TYPE_CHECKING:
    from .volume import Volume


class Goal:
    """So many slices, of all or of some, at a quality or better."""

    def __init__(
        self, volume: Volume, fraction: float | None, slices: Iterable[int] | None, quality: int | None
    ) -> None:
        self._volume = volume
        self._quality = volume.quality if quality is None else quality
        self._which: npt.NDArray[np.intp] = np.flatnonzero(volume.has_image)
        if slices is None:
            share = 1.0 if fraction is None else fraction
            if not 0 <= share <= 1:
                raise UsageError(f"a fraction is between 0 and 1, not {fraction}")
            self._needed = math.ceil(share * len(self._which))
            return
        if fraction is not None:
            raise UsageError("wait for a fraction, or for slices, not for both")
        wanted = np.unique(np.fromiter(slices, np.intp))
        if len(wanted) and (wanted[0] < 0 or wanted[-1] >= volume.segment.slices):
            raise UsageError(f"the volume has slices 0 to {volume.segment.slices - 1}")
        self._which = np.intersect1d(wanted, self._which)  # a gap has nothing to wait for
        self._needed = len(self._which)

    def reached(self) -> bool:
        """Is it there? Raises if it never will be."""
        segment = self._volume.segment
        # In this order: what was published before the end is seen before the end is.
        activity, alive = segment.activity, segment.owner_alive
        states = segment.states[self._which]
        if np.count_nonzero((states >= self._quality) & (states <= FULL)) >= self._needed:
            return True
        failed = self._which[states == FAILED]
        if len(states) - len(failed) < self._needed:
            index = int(failed[0])
            raise self._volume.errors.get(index) or VolstreamError("the slice failed", index=index)
        if activity == "cancelled":
            raise CancelledError("the load was cancelled")
        if not alive:
            raise SegmentError("the process that loads this volume closed it or died")
        if activity in ENDED:
            raise VolstreamError(f"the load has ended, and not all that was waited for has quality {self._quality}")
        return False


class Patience:
    """Cuts a wait into naps, until the time is up."""

    def __init__(self, timeout: float | None) -> None:
        self._end = None if timeout is None else time.monotonic() + timeout

    def nap(self) -> float:
        """How long to sleep for a change now. The owner's death is no change, so never for long; TimeoutError."""
        if self._end is None:
            return 0.5
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the slices did not arrive in time")
        return min(0.5, left)
