"""What the voxels are like, of the slices that are exact: at any time, and without looking twice at any slice."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .states import FULL

if TYPE_CHECKING:
    from .segment import Segment


class Histogram(NamedTuple):
    """`counts[n]` voxels lie in `edges[n]` to `edges[n + 1]`, the last edge included; NaN voxels are not counted."""

    counts: npt.NDArray[np.int64]
    edges: npt.NDArray[np.float64]
    #: Slices that were counted, of so many: approximate ones never are.
    slices: int
    total: int

    @property
    def is_complete(self) -> bool:
        return self.slices == self.total


class Tally:
    """Counts each value of an integer type of 8 or 16 bits once, as slices come; other types are counted when asked."""

    def __init__(self, segment: Segment) -> None:
        self._dtype = np.dtype(str(segment.metadata["dtype"]))
        self._exact = self._dtype.kind in "iu" and self._dtype.itemsize <= 2
        self._values = np.zeros(1 << 8 * self._dtype.itemsize if self._exact else 0, np.int64)
        self._seen = np.zeros(segment.slices, bool)
        self._lock = threading.Lock()

    def histogram(self, segment: Segment, bins: int, extent: tuple[float, float], total: int) -> Histogram:
        """Of the slices that are exact now, whose voxels lie in `extent`."""
        images = segment.voxels.view(self._dtype).reshape(segment.slices, -1)
        exact = segment.states == FULL
        edges = np.linspace(*(extent if extent[0] < extent[1] else (extent[0] - 0.5, extent[0] + 0.5)), bins + 1)
        if not exact.any():
            return Histogram(np.zeros(bins, np.int64), edges, 0, total)
        if self._exact:
            with self._lock:
                for index in np.flatnonzero(exact & ~self._seen):
                    self._values += _counts(images[index], len(self._values))
                    self._seen[index] = True
                counts = np.histogram(self._all_values(), edges, weights=self._values)[0].astype(np.int64)
                return Histogram(counts, edges, int(np.count_nonzero(self._seen)), total)
        counts = np.zeros(bins, np.int64)
        for index in np.flatnonzero(exact):
            counts += np.histogram(images[index], edges)[0]
        return Histogram(counts, edges, int(np.count_nonzero(exact)), total)

    def _all_values(self) -> npt.NDArray[Any]:
        """What `_values` counts, in its order: two's complement, seen as unsigned."""
        unsigned = np.arange(len(self._values), dtype=f"u{self._dtype.itemsize}")
        return unsigned.view(self._dtype)


def _counts(image: npt.NDArray[Any], values: int) -> npt.NDArray[np.int64]:
    return np.bincount(image.view(f"u{image.itemsize}"), minlength=values)
