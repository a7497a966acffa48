"""How voxels get into a segment: whole slices, written to its file rather than through a mapping."""

from __future__ import annotations

import math
import os
import threading
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ResourceError, UsageError
from .states import ADJACENT_REPLICATE, FAILED, FULL

if TYPE_CHECKING:
    from .segment import Segment


class SliceWriter:
    """Puts slices in their places, from any number of threads, until `close`; docs/design/segment.md says why so.

    A slice changes at once or not at all: what fails to decode leaves no trace, and no worse image follows a better.
    """

    def __init__(self, segment: Segment, descriptor: int, offset: int) -> None:
        self._segment = segment
        self._descriptor = descriptor
        self._offset = offset
        self._locks = [threading.Lock() for _ in range(segment.slices)]

    def put(self, index: int, voxels: Any, state: int, minimum: float = math.nan, maximum: float = math.nan) -> bool:
        """Write a slice and publish its state; False, and nothing written, if what is there is as good.

        Only what is made up from neighbours is replaced by its like: it comes from nearer ones.
        voxels: `segment.slice_bytes` bytes in any contiguous buffer. ResourceError if there is no memory for them.
        """
        with self.holding(index):
            before = self._segment.state(index)
            if before in (FULL, FAILED) or before > state or before == state > ADJACENT_REPLICATE:
                return False
            self.write(index, voxels)
            if before == state:
                self._segment.touch()
            return before == state or self._segment.publish(index, state, minimum, maximum)

    def fail(self, index: int) -> None:
        """Give every voxel the fill value, and say that there is no image."""
        metadata = self._segment.metadata
        fill = math.nan if metadata["fill"] is None else metadata["fill"]
        dtype = np.dtype(str(metadata["dtype"]))
        try:
            self.put(index, np.full(self._segment.slice_bytes // dtype.itemsize, fill, dtype), FAILED)
        except ResourceError:
            self._segment.publish(index, FAILED)

    def holding(self, index: int) -> AbstractContextManager[Any]:
        """Keeps others from putting this slice while another process writes it."""
        if not 0 <= index < len(self._locks):
            raise UsageError(f"slice {index} is not among the {len(self._locks)} of this volume")
        return self._locks[index]

    def write(self, index: int, voxels: Any) -> None:
        """Only write: for a process whose parent holds the slice, and publishes it."""
        rest = memoryview(voxels).cast("B")
        size = self._segment.slice_bytes
        if not 0 <= index < self._segment.slices or len(rest) != size:
            raise UsageError(f"{len(rest)} bytes for slice {index} of {self._segment.slices}, of {size} bytes each")
        at = self._offset + index * size
        try:
            while rest:
                count = os.pwrite(self._descriptor, rest, at)
                rest, at = rest[count:], at + count
        except OSError as error:
            raise ResourceError(f"no memory is left for this slice: {error.strerror}", index=index) from None

    def close(self) -> None:
        os.close(self._descriptor)
