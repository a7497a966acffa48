"""The volume: what the user holds, in the process that loads it and in every other."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import UsageError, VolstreamError
from ..identity import ImageId, ImageKey
from .changes import change
from .controller import Controller
from .events import Events, Progress
from .image import Image, keys_at, view
from .loading import ImageLoadRequest, Loading
from .meaning import addresses_of, geometry_of
from .segment import Segment
from .states import ENDED, FAILED, FULL
from .statistics import Histogram, Tally
from .waiting import Goal, Patience
from .window import default_window

if TYPE_CHECKING:
    from ..plan import Geometry
    from ..records import FrameRecord
    from .cache import Cache


class Volume:
    """A series' voxels, what they mean, and how far they are; (k, j, i) or (t, k, j, i), colour last.

    Index axes are named as in ITK: i runs along a row, j down a column, k from slice to slice. `affine`, `spacing`,
    `origin` and `direction` have i first and are LPS millimetres (PS3.3 C.7.6.2); the array has i last.

    Slices are counted in memory order: slice `index` of a 4D volume is image k = index % K of time point index // K.
    Where a slice's state is 0 (pending) its voxels are zero bytes that mean nothing: look at `states` before reading
    a volume that is not complete. Failed slices hold the fill value.
    """

    def __init__(
        self,
        segment: Segment,
        controller: Controller | None,
        *,
        geometry: Geometry | None = None,
        records: Sequence[FrameRecord | None] = (),
    ) -> None:
        self.segment = segment
        self._controller = controller
        self._geometry = geometry
        #: Where it is cached, and as what.
        self.cache: Cache | None = None
        self.volume_id: str | None = None
        #: The headers that it was planned from, by slice; empty where they are not known.
        self._records = records
        #: Per slice: is there an image for it? The others are gaps, in state 255 with the fill value.
        self.has_image: npt.NDArray[np.bool_] = np.ones(segment.slices, bool)
        self._tally = Tally(segment)
        #: The quality at which a slice counts as loaded: full, unless less was asked for.
        self.quality: int = segment.metadata.get("quality", FULL)
        self._addresses = addresses_of(segment.metadata, segment.slices)
        if self._addresses is not None:
            self.has_image = np.array([address is not None for address in self._addresses], bool)

    # The data

    @property
    def array(self) -> npt.NDArray[Any]:
        """The voxels, without a copy: writable in the process that loads, read-only where attached.

        Stays valid after `close`, for as long as you keep it: the memory goes with the last array on it.
        """
        return self.segment.array

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        array = self.array
        kind = array.dtype if dtype is None else np.dtype(dtype)
        if copy is False and kind != array.dtype:
            raise ValueError(f"a volume of {array.dtype} cannot become {kind} without a copy")
        return array.astype(kind, copy=bool(copy))

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.metadata["shape"])

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(str(self.metadata["dtype"]))

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

    def histogram(self, bins: int = 256) -> Histogram:
        """How many voxels have which value, between the ends of `range`, of the slices that are at full quality now.

        Costs a look at the slices that came since the last call. Approximate slices are not counted: `slices` of the
        result says how many were.
        """
        return self._tally.histogram(self.segment, bins, self.range, self.progress.total)

    @property
    def window(self) -> tuple[float, float] | None:
        """(center, width) to show it with, from the headers of all images, or by modality; None while nothing tells."""
        return default_window(self.metadata, self.range)

    # What it means

    @property
    def metadata(self) -> dict[str, Any]:
        """What the segment says of itself: the plan's metadata, and "shape", "dtype", "fill"."""
        return self.segment.metadata

    @property
    def geometry(self) -> Geometry:
        """Where the voxels lie in the patient, and what was found odd about it."""
        if self._geometry is None:
            self._geometry = geometry_of(self.metadata)
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
        return None if self._addresses is None else self._addresses[index]

    def image(self, image: int | str) -> Image:
        """A slice as an image, without a copy or a request: by its index, or by an imageId, of whatever transport.

        Its pixels mean something once its `state` says so. UsageError if there is no such image.
        """
        index = self.image_index(image) if isinstance(image, str) else operator.index(image)
        if index is None or not 0 <= index < self.segment.slices or not self.has_image[index]:
            raise UsageError(f"the volume has no image with {'this imageId' if index is None else f'index {index}'}")
        return view(self, index)

    def image_index(self, image_id: str) -> int | None:
        """Which slice is this image; None if none is."""
        return self.image_keys.get(ImageId.parse(image_id).key)

    @cached_property
    def image_keys(self) -> dict[ImageKey, int]:
        """What its images may be asked for by, and which slices they are."""
        return {key: index for index in np.flatnonzero(self.has_image).tolist() for key in keys_at(self, index)}

    def record(self, index: int) -> FrameRecord | None:
        """The header of a slice's image; None where no image lies, and where this process has not read it."""
        record = self._records[index] if self._records else None
        if record is not None and isinstance(record.location, (bytes, bytearray, memoryview)):
            return replace(record, location=None)  # whoever keeps it does not want to keep a file's bytes
        return record

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
        """(loaded, failed, total), of the slices that have an image; `.fraction` is loaded / total."""
        return Progress.of(self.states, self.has_image, self.quality)

    @property
    def complete(self) -> bool:
        """Every slice that has an image is there, at the quality that was asked for."""
        loaded, _, total = self.progress
        return loaded == total

    @property
    def ended(self) -> bool:
        """Nothing more will come: all is there or failed, or the load was cancelled, or its process is gone."""
        if self.segment.closed or self.segment.activity in ENDED or not self.segment.owner_alive:
            return True
        loaded, failed, total = self.progress
        return loaded + failed == total

    @property
    def is_loading(self) -> bool:
        """Somebody fills it."""
        return not self.segment.closed and self.segment.activity == "loading" and not self.ended

    @property
    def is_bound(self) -> bool:
        """It loads on an event loop of the caller's, which alone can close it."""
        return self._controller is not None and self._controller.is_bound

    @property
    def errors(self) -> Mapping[int, VolstreamError]:
        """The error of each slice that failed; known only where the volume is loaded, empty where attached."""
        return {} if self._controller is None else self._controller.errors

    def events(self, timeout: float | None = None, *, interval: float = 0.0) -> Events:
        """One event for each slice that gets better or fails, for `for` and `async for`.

        Starts with what is there, ends when nothing more will come. TimeoutError after `timeout` idle seconds.
        interval: look at most once in so many seconds, until the load has ended. What happens meanwhile comes with the
            next look, each slice once, in its latest state: for whoever draws the volume anew for each batch.
        """
        return Events(self, timeout, interval)

    def wait(
        self,
        fraction: float | None = None,
        *,
        slices: Iterable[int] | None = None,
        timeout: float | None = None,
        quality: int | None = None,
    ) -> bool:
        """Block until a fraction of the slices (default all), or all of `slices`, have at least `quality`.

        quality: a slice state; default that at which slices count as loaded. `wait(quality=1)` is for the first moment
            in which every slice shows something, `wait(quality=6)` for an image of its own.
        Returns True. Raises as soon as it has become impossible: the error of a slice that failed, CancelledError,
        SegmentError if the owner died; TimeoutError after `timeout` seconds.
        """
        goal, patience = Goal(self, fraction, slices, quality), Patience(timeout)
        while True:
            sequence = self.segment.sequence
            if goal.reached():
                return True
            self.check_may_block()
            self.segment.wait_change(sequence, patience.nap())

    async def wait_async(
        self,
        fraction: float | None = None,
        *,
        slices: Iterable[int] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the same signature as `wait`
        quality: int | None = None,
    ) -> bool:
        """As `wait`, under asyncio."""
        goal, patience = Goal(self, fraction, slices, quality), Patience(timeout)
        while True:
            sequence = self.segment.sequence
            if goal.reached():
                return True
            await change(self.segment, sequence, patience.nap())

    # Control

    def load(self, slices: Iterable[int] | None = None) -> Loading:
        """Start loading, or join it if it runs. The handle can be waited for, awaited, or given a callback.

        slices: only these, next, in this order; the handle stands for them. Others stay as they are until somebody
            loads them, and `wait()` and `events()` go on for so long; a load of everything that runs, runs on.
        """
        wanted = None if slices is None else [index for index in self._checked(slices) if self.has_image[index]]
        self._control().start(wanted)
        return Loading(self, slices=wanted)

    def get_image_load_requests(self) -> list[ImageLoadRequest]:
        """What `load` would do: a request for each slice that has an image, in the volume's order of loading.

        Each can be made by itself, in any order, between those of other volumes: `request.load()`.
        """
        order = [index for index in self._control().order if self.has_image[index]]
        return [ImageLoadRequest(index, self.image_id(index), place, self) for place, index in enumerate(order)]

    def cancel(self) -> None:
        """Stop loading. Slices that are there stay valid; who waits for others gets CancelledError."""
        self._control().cancel()

    def retry_failed(self) -> Loading:
        """Load the slices that failed again."""
        self._control()
        for index in np.flatnonzero((self.states == FAILED) & self.has_image).tolist():
            self.segment.reset(index)
        return self.load()

    def prioritize(self, slices: Iterable[int]) -> None:
        """Load these slices before all others, in this order; what has been asked for already goes on.

        Takes the place of earlier priorities: an empty list goes back to the plain order.
        """
        self._control().prioritize(self._checked(slices))

    def check_may_block(self) -> None:
        """UsageError if this thread runs the event loop that loads: it would wait for itself."""
        if self._controller is not None:
            self._controller.check_may_block()

    def _checked(self, slices: Iterable[int]) -> list[int]:
        wanted = [operator.index(index) for index in slices]
        if not all(0 <= index < self.segment.slices for index in wanted):
            raise UsageError(f"the volume has slices 0 to {self.segment.slices - 1}")
        return wanted

    def _control(self) -> Controller:
        if self._controller is None:
            raise UsageError("this volume is attached: only the process that loads it can control that")
        return self._controller

    # End

    def decache(self, completely: bool = False) -> None:
        """Close the volume, and keep its slices in the cache, as images of their own, unless `completely`.

        Each slice that is there at full quality is copied, so that from then on they count, and go, one by one; the
        cache never holds more than before. UsageError if the volume is pinned, or its slices have no imageIds.
        """
        from .cache import cache

        (self.cache or cache).decache(self, completely)

    def close(self) -> None:
        """Stop loading, and release everything; arrays and images you keep stay valid. It leaves the cache, too."""
        try:
            if self._controller is not None:
                self._controller.close()
        finally:
            self._let_go()

    async def aclose(self) -> None:
        """As `close`, on the event loop that loads."""
        try:
            if self._controller is not None:
                await self._controller.aclose()
        finally:
            self._let_go()

    def _let_go(self) -> None:
        self.segment.close()
        if self.cache is not None:
            self.cache.forget(self)

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
