"""A segment that is a file of a cache: filled by one process at a time, sealed when everything is there and on disk."""

from __future__ import annotations

import contextlib
import math
import mmap
import os
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ResourceError, UsageError
from .entries import locked, remove_dead
from .layout import COUNTERS, COUNTERS_OFFSET, SEAL, SEAL_OFFSET, Layout
from .lease import Lease
from .meaning import addresses_of
from .segment import Segment, board_of, map_segment
from .states import FAILED, FULL, PENDING


class CachedSegment(Segment):
    """Several processes may have it open; the one that holds the lock fills it, another goes on where that one ends.

    So `activity` is how this process's own load stands, and slices that failed in another process are pending here.
    `array` is copied when it is written to: what a user changes in it never reaches the file.
    """

    def __init__(
        self, lease: Lease, layout: Layout, mapping: mmap.mmap, metadata: dict[str, Any], writable: bool
    ) -> None:
        super().__init__(lease, layout, mapping, metadata, writable)
        #: What identifies the state of the source; a matter of the cache alone.
        self.made_from = metadata.pop("cache", None)
        self._own: mmap.mmap | None = map_segment(lease, layout.total_size, mmap.ACCESS_COPY)
        self._own_activity = "idle"
        #: What failed, failed here.
        self._has_tried = lease.owner
        addresses = addresses_of(metadata, layout.slices) or [""] * layout.slices
        self._has_image = np.array([address is not None for address in addresses], bool)

    @property
    def layout(self) -> Layout:
        return self._layout

    @property
    def created(self) -> float:
        """When, in seconds since 1970."""
        return self._layout.created / 1e9

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(str(self.metadata["dtype"]))

    # What this process sees

    @property
    def array(self) -> npt.NDArray[Any]:
        """All voxels, with shape and type: read-only until it is complete, and then this process's own."""
        if self._own is None:
            raise UsageError("the volume is closed")
        shape = self.metadata["shape"]
        array = np.frombuffer(self._own, self.dtype, math.prod(shape), self._layout.voxels_offset).reshape(shape)
        # A page that is written to is a copy from then on: what arrives in it later would not be seen.
        array.flags.writeable = self.complete
        return array

    @property
    def states(self) -> npt.NDArray[np.uint8]:
        """The state of each slice now, a copy."""
        states = super().states
        if not self._has_tried:
            states[(states == FAILED) & self._has_image] = PENDING
        return states

    @property
    def activity(self) -> str:
        """How the load of this process stands."""
        return self._own_activity

    def set_activity(self, activity: str) -> None:
        """Say how the load of this process stands; and in the file, if it is this process that fills it."""
        self._own_activity = activity
        if self.is_owner:
            super().set_activity(activity)

    @property
    def owner_alive(self) -> bool:
        """Until it is closed: who fills it may change."""
        return not self.closed

    # Who fills it

    def claim(self) -> bool:
        """Become the one that fills it; False if somebody is. What failed elsewhere is pending again."""
        if not self._lease.claim():
            return False
        if not self.board.writable:
            self._become_writable()
        if not self._has_tried:
            self._has_tried = True
            for index in np.flatnonzero((super().states == FAILED) & self._has_image).tolist():
                self.reset(index)
        # Who filled it may have been killed between a state and its counter.
        states = super().states
        full, failed = np.count_nonzero(states == FULL), np.count_nonzero(states == FAILED)
        covered = self.slices - failed - np.count_nonzero(states == PENDING)
        COUNTERS.pack_into(self._shared, COUNTERS_OFFSET, full, failed, covered)
        return True

    def _become_writable(self) -> None:
        try:
            self._mapping = map_segment(self._lease, self._layout.total_size, mmap.ACCESS_WRITE)
            self._board = board_of(self._mapping, self._layout, writable=True)
        except BaseException:
            self._lease.free()
            raise

    def free(self) -> None:
        """Let others claim it."""
        self._lease.free()
        self.touch()

    # The seal

    @property
    def complete(self) -> bool:
        """Every slice that has an image is there."""
        return bool((self.states == FULL)[self._has_image].all())

    @property
    def pending(self) -> npt.NDArray[np.bool_]:
        """Which slices are still to come, or to get better."""
        pending: npt.NDArray[np.bool_] = (self.states < FULL) & self._has_image
        return pending

    @property
    def sealed(self) -> bool:
        """Everything was there, and on disk; nothing is written any more."""
        return bool(self._seal()[0] == 1)

    def seal(self) -> None:
        """Bring it to the disk, and say so in it; OSError if that fails."""
        super().set_activity("complete")
        voxels = zlib.crc32(self._voxel_bytes())
        os.fsync(self._lease.descriptor)
        SEAL.pack_into(self._shared, SEAL_OFFSET, 0, self._checksum(voxels), voxels)
        SEAL.pack_into(self._shared, SEAL_OFFSET, 1, self._checksum(voxels), voxels)
        self.mark_used()

    def states_are_right(self) -> bool:
        """Are states, ranges and counters as they were sealed? Costs next to nothing."""
        _, checksum, voxels = self._seal()
        return checksum == self._checksum(voxels) and self.complete

    def voxels_are_right(self) -> bool:
        """Are the voxels as they were sealed? Reads all of them."""
        return zlib.crc32(self._voxel_bytes()) == self._seal()[2]

    def mark_used(self) -> None:
        """It has been used now."""
        with contextlib.suppress(OSError):
            os.utime(self._lease.descriptor)

    def _seal(self) -> tuple[int, int, int]:
        return SEAL.unpack_from(self._shared, SEAL_OFFSET)

    def _voxel_bytes(self) -> memoryview:
        start = self._layout.voxels_offset
        return memoryview(self._shared)[start : start + self._layout.voxels_length]

    def _checksum(self, voxels: int) -> int:
        """Of what counts and changes while the file is filled."""
        layout, parts = self._layout, zlib.crc32(struct.pack("<I", voxels))
        for start, length in (
            (COUNTERS_OFFSET, COUNTERS.size),
            (layout.states_offset, layout.states_length),
            (layout.ranges_offset, layout.ranges_length),
        ):
            parts = zlib.crc32(memoryview(self._shared)[start : start + length], parts)
        return parts

    @property
    def _shared(self) -> mmap.mmap:
        if self._mapping is None:
            raise UsageError("the volume is closed")
        return self._mapping

    def close(self) -> None:
        """Let go; whoever is the last to do so with a file that is not sealed removes it."""
        path = None if self.closed or self.sealed else self._lease.path
        self.detach()
        if path is not None:
            with contextlib.suppress(ResourceError), locked(path.parent):
                remove_dead(path)

    def detach(self) -> None:
        """Let go, and leave the file as it is."""
        super().close()
        self._own = None
