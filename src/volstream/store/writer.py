"""How voxels get into a segment: whole slices, written to its file rather than through a mapping."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .._native import Writer
from ..errors import ResourceError
from .states import FAILED

if TYPE_CHECKING:
    from .segment import Segment


class SliceWriter:
    """Puts slices in their places, from any number of threads, until `close`; docs/design/segment.md says why so.

    A slice changes at once or not at all: what fails to decode leaves no trace, and no worse image follows a better.
    """

    def __init__(self, segment: Segment, descriptor: int, offset: int) -> None:
        self._segment = segment
        self._descriptor = descriptor
        #: For the core, which puts what it decodes without coming back here.
        self.native = Writer(segment.board, descriptor, offset, segment.slice_bytes)

    def put(self, index: int, voxels: Any, state: int, minimum: float = math.nan, maximum: float = math.nan) -> bool:
        """Write a slice and publish its state; False, and nothing written, if what is there is as good.

        Only what is made up from neighbours is replaced by its like: it comes from nearer ones.
        voxels: `segment.slice_bytes` bytes in any contiguous buffer. ResourceError if there is no memory for them.
        """
        return self.native.put(index, voxels, state, minimum, maximum)

    def fail(self, index: int) -> None:
        """Give every voxel the fill value, and say that there is no image."""
        metadata = self._segment.metadata
        fill = math.nan if metadata["fill"] is None else metadata["fill"]
        dtype = np.dtype(str(metadata["dtype"]))
        try:
            self.put(index, np.full(self._segment.slice_bytes // dtype.itemsize, fill, dtype), FAILED)
        except ResourceError:
            self._segment.publish(index, FAILED)

    @contextlib.contextmanager
    def holding(self, index: int) -> Iterator[None]:
        """Keeps others from putting this slice while another process writes it."""
        self.native.lock(index)
        try:
            yield
        finally:
            self.native.unlock(index)

    def write(self, index: int, voxels: Any) -> None:
        """Only write: for a process whose parent holds the slice, and publishes it."""
        self.native.write(index, voxels)

    def close(self) -> None:
        del self.native  # it keeps the mapping
        os.close(self._descriptor)
