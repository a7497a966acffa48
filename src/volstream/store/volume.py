"""The volume: what the user holds, in the process that loads it and in every other."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import CancelledError, SegmentError, UsageError, VolstreamError
from .changes import change
from .controller import Controller
from .events import ENDED, Events, Progress
from .segment import FAILED, FULL, Segment

if TYPE_CHECKING:
    from ..plan import Geometry


class Volume:
    """A series' voxels, what they mean, and how far they are; (k, j, i) or (t, k, j, i), colour last.

    Index axes are named as in ITK: i runs along a row, j down a column, k from slice to slice. `affine`, `spacing`,
    `origin` and `direction` have i first and are LPS millimetres (PS3.3 C.7.6.2); the array has i last.

    Slices are counted in memory order: slice `index` of a 4D volume is image k = index % K of time point index // K.
    Where a slice's state is 0 (pending) its voxels are zero bytes that mean nothing: look at `states` before reading
    a volume that is not complete. Failed slices hold the fill value.
    """

    def __init__(self, segment: Segment, controller: Controller | None, *, geometry: Geometry | None = None) -> None:
        self.segment = segment
        self._controller = controller
        self._geometry = geometry
        self._array = segment.array

    # The data

    @property
    def array(self) -> npt.NDArray[Any]:
        """The voxels, without a copy: writable in the process that loads, read-only where attached.

        Stays valid after `close`, for as long as you keep it: the memory goes with the last array on it.
        """
        if self.segment.closed:
            raise UsageError("the volume is closed")
        return self._array

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        array = self.array
        kind = array.dtype if dtype is None else np.dtype(dtype)
        if copy is False and kind != array.dtype:
            raise ValueError(f"a volume of {array.dtype} cannot become {kind} without a copy")
        return array.astype(kind, copy=bool(copy))

    @property
    def shape(self) -> tuple[int, ...]:
        return self._array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._array.dtype

    @property
    def units(self) -> str:
        """Of the voxels: "HU", "BQML", "GY", ...; empty for raw values."""
        return str(self.metadata.get("units", ""))

    @property
    def range(self) -> tuple[float, float]:
        """Least and greatest voxel of the slices that are at full quality; NaN while there is none."""
        ranges = self.segment.ranges[self.states == FULL]
        if np.isnan(ranges).all():
            return math.nan, math.nan
        return float(np.nanmin(ranges[:, 0])), float(np.nanmax(ranges[:, 1]))

    # What it means

    @property
    def metadata(self) -> dict[str, Any]:
        """What the segment says of itself: the plan's metadata, and "shape", "dtype", "slices", "fill"."""
        return self.segment.metadata

    @property
    def geometry(self) -> Geometry:
        """Where the voxels lie in the patient, and what was found odd about it."""
        if self._geometry is None:
            from .describe import geometry

            self._geometry = geometry(self.metadata)
        return self._geometry

    @property
    def affine(self) -> npt.NDArray[np.float64]:
        """4x4: (i, j, k, 1) -> LPS mm."""
        return self.geometry.affine

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Of voxel centres along i, j, k, mm."""
        return self.geometry.spacing

    @property
    def origin(self) -> tuple[float, float, float]:
        """Centre of voxel (0, 0, 0), LPS mm."""
        return self.geometry.origin

    @property
    def direction(self) -> npt.NDArray[np.float64]:
        """3x3, the unit vectors of i, j, k as columns."""
        return self.geometry.direction

    def image_id(self, index: int) -> str | None:
        """The imageId of the slice's frame; None where no image lies."""
        from .describe import image_id

        return image_id(self.metadata, index)

    # How far it is

    @property
    def name(self) -> str:
        """For `volstream.attach(name)` in another process."""
        return self.segment.name

    @property
    def states(self) -> npt.NDArray[np.uint8]:
        """The state of each slice now: 0 pending, 1 to 7 provisional, 8 full, 255 failed."""
        return self.segment.states

    @property
    def progress(self) -> Progress:
        states = self.states
        return Progress(int(np.count_nonzero(states == FULL)), int(np.count_nonzero(states == FAILED)), len(states))

    @property
    def complete(self) -> bool:
        """Every slice is there at full quality."""
        return bool((self.states == FULL).all())

    @property
    def errors(self) -> Mapping[int, VolstreamError]:
        """The error of each slice that failed; known only where the volume is loaded, empty where attached."""
        return {} if self._controller is None else self._controller.errors

    def events(self, timeout: float | None = None) -> Events:
        """One event for each slice that gets better or fails, for `for` and `async for`.

        Starts with what is there, ends when nothing more will come. TimeoutError after `timeout` idle seconds.
        """
        return Events(self, timeout)

    def wait(
        self,
        fraction: float | None = None,
        *,
        slices: Iterable[int] | None = None,
        timeout: float | None = None,
        quality: int = FULL,
    ) -> bool:
        """Block until a fraction of the slices (default all), or all of `slices`, have at least `quality`.

        Returns True. Raises as soon as it has become impossible: the error of a slice that failed, CancelledError,
        SegmentError if the owner died; TimeoutError after `timeout` seconds.
        """
        wanted = self._wanted(fraction, slices)
        end = math.inf if timeout is None else time.monotonic() + timeout
        while True:
            sequence = self.segment.sequence
            if self._reached(wanted, quality):
                return True
            self.check_may_block()
            self.segment.wait_change(sequence, _nap(end))

    async def wait_async(
        self,
        fraction: float | None = None,
        *,
        slices: Iterable[int] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the same signature as `wait`
        quality: int = FULL,
    ) -> bool:
        """As `wait`, under asyncio."""
        wanted = self._wanted(fraction, slices)
        end = math.inf if timeout is None else time.monotonic() + timeout
        while True:
            sequence = self.segment.sequence
            if self._reached(wanted, quality):
                return True
            await change(self.segment, sequence, _nap(end))

    def _wanted(self, fraction: float | None, slices: Iterable[int] | None) -> tuple[npt.NDArray[np.intp] | None, int]:
        """Which slices (None: any), and how many of them."""
        total = self.segment.slices
        if slices is None:
            fraction = 1.0 if fraction is None else fraction
            if not 0 <= fraction <= 1:
                raise UsageError(f"a fraction is between 0 and 1, not {fraction}")
            return None, math.ceil(fraction * total)
        if fraction is not None:
            raise UsageError("wait for a fraction, or for slices, not for both")
        wanted = np.unique(np.fromiter(slices, np.intp))
        if len(wanted) and (wanted[0] < 0 or wanted[-1] >= total):
            raise UsageError(f"the volume has slices 0 to {total - 1}")
        return wanted, len(wanted)

    def _reached(self, wanted: tuple[npt.NDArray[np.intp] | None, int], quality: int) -> bool:
        """Is it there? Raises if it never will be."""
        segment = self.segment
        which, needed = wanted
        # In this order: what is published before the end is seen before the end is.
        activity, alive = segment.activity, segment.owner_alive
        states = segment.states if which is None else segment.states[which]
        if np.count_nonzero((states >= quality) & (states <= FULL)) >= needed:
            return True
        failed = np.flatnonzero(states == FAILED)
        if len(states) - len(failed) < needed:
            index = int(failed[0] if which is None else which[failed[0]])
            raise self.errors.get(index) or VolstreamError("the slice failed", index=index)
        if activity == "cancelled":
            raise CancelledError("the load was cancelled")
        if not alive:
            raise SegmentError("the process that loads this volume closed it or died")
        if activity in ENDED:
            raise VolstreamError(f"the load has ended, and not every slice has quality {quality}")
        return False

    # Control

    def load(self) -> Volume:
        """Start loading, or join it if it runs; returns the volume, to wait for or await."""
        self._control().start()
        return self

    def cancel(self) -> None:
        """Stop loading. Slices that are there stay valid; who waits for others gets CancelledError."""
        self._control().cancel()

    def retry_failed(self) -> None:
        """Load the slices that failed again."""
        controller = self._control()
        for index in np.flatnonzero(self.states == FAILED).tolist():
            self.segment.reset(index)
        controller.start()

    def check_may_block(self) -> None:
        if self._controller is not None:
            self._controller.check_may_block()

    def _control(self) -> Controller:
        if self._controller is None:
            raise UsageError("this volume is attached: only the process that loads it can control that")
        return self._controller

    # End

    def close(self) -> None:
        """Stop loading, and release everything; arrays you keep stay valid."""
        try:
            if self._controller is not None:
                self._controller.close()
        finally:
            self.segment.close()

    async def aclose(self) -> None:
        """As `close`, on the event loop that loads."""
        try:
            if self._controller is not None:
                await self._controller.aclose()
        finally:
            self.segment.close()

    def __enter__(self) -> Volume:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    async def __aenter__(self) -> Volume:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        if self.segment.closed:
            return f"<Volume {self.shape} {self.dtype} closed>"
        loaded, failed, total = self.progress
        state = f"{loaded}/{total} slices" + (f", {failed} failed" if failed else "")
        return f"<Volume {self.shape} {self.dtype} {self.units or 'raw'}, {state}>"


def _nap(end: float) -> float:
    """How long to sleep for a change now: the owner's death is no change, so not for ever."""
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError("the slices did not arrive in time")
    return min(0.5, left)
