"""One shared segment: voxels, slice states and what they mean, in memory that any process of this user can map.

docs/segment.md has the bytes, docs/design/segment.md the reasons.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from .._native import Board
from ..errors import ResourceError, SegmentError, UsageError
from . import memory
from .layout import HEADER_SIZE, MAGIC, PERSISTENT, Layout, voxel_bytes
from .lease import Lease, directory, path_of
from .reaper import reap
from .states import ACTIVITIES, STATES
from .writer import SliceWriter

#: A wait looks up this often, so that Python can handle signals.
_NAP = 0.1


class Segment:
    """Made by `create` (the owner) or `attach`; the owner's `close`, garbage collection or exit removes the name.

    `array` is the volume, `voxels` the same bytes flat, `ranges` float64 (slices, 2): least and greatest voxel of
    each slice, NaN where unknown. Arrays stay valid after `close`: the memory goes with the last of them.
    """

    def __init__(
        self, lease: Lease, layout: Layout, mapping: mmap.mmap, metadata: dict[str, Any], writable: bool
    ) -> None:
        self._finalizer = weakref.finalize(self, lease.release)
        self._lease = lease
        self._layout = layout
        self.name = str(lease.path) if layout.flags & PERSISTENT else f"/{lease.path.name}"
        self.metadata = metadata
        self.slices = layout.slices
        self.slice_bytes = layout.slice_bytes
        self._board: Board | None = board_of(mapping, layout, writable=writable)
        self._mapping: mmap.mmap | None = mapping

    @classmethod
    def create(
        cls,
        shape: tuple[int, ...],
        dtype: npt.DTypeLike,
        metadata: dict[str, Any],
        *,
        slices: int,
        fill: float = 0,
        path: Path | None = None,
        admit: Callable[[Layout], object] | None = None,
    ) -> Self:
        """Allocate a segment and own it.

        shape: (k, j, i) or (t, k, j, i), colour last, of `slices` slices in memory order.
        metadata: JSON-able; "shape", "dtype" and "fill" are added to it.
        fill: real-world value of slices that have no image, or whose image failed. Pending slices hold zero bytes.
        path: a file to create, which outlives its owner, instead of a name in shared memory.
        admit: is shown the layout before anything is allocated, and may raise.
        Raises ResourceError, before anything is allocated, if it does not fit; UsageError.
        """
        kind = np.dtype(dtype)
        size = voxel_bytes(shape, kind, slices)
        _check_fill(fill, kind)
        own = {
            "shape": list(shape),
            "dtype": kind.name,
            "fill": fill if math.isfinite(fill) else None,
        }
        text = json.dumps(metadata | own, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        layout = Layout.plan(
            text, slices=slices, voxels=size, created=time.time_ns(), flags=PERSISTENT if path else 0, pid=os.getpid()
        )
        if admit is not None:
            admit(layout)
        reap()  # first: what orphans hold is room
        memory.check_room(layout.total_size, path.parent if path else directory())
        lease = Lease.create(path)
        try:
            if path:
                lease.use()
            # Shared memory for voxels is taken as they are written (`SliceWriter`), a disk's blocks here and now.
            memory.reserve(lease.descriptor, layout.total_size if path else layout.voxels_offset, lease.path.parent)
            os.truncate(lease.descriptor, layout.total_size)
            mapping = map_segment(lease, layout.total_size, mmap.ACCESS_WRITE)
            ranges = layout.ranges_offset
            mapping[layout.metadata_offset : layout.metadata_offset + len(text)] = text
            mapping[ranges : ranges + layout.ranges_length] = np.full(2 * slices, np.nan, "<f8").tobytes()
            header = layout.pack()
            mapping[len(MAGIC) : len(header)] = header[len(MAGIC) :]
            mapping[: len(MAGIC)] = MAGIC  # last: from here on it can be attached
            return cls(lease, layout, mapping, json.loads(text), True)
        except BaseException:
            lease.release(failed=True)
            raise

    @classmethod
    def attach(cls, name: str | Path, *, writable: bool = False) -> Self:
        """Map another process's segment, read-only unless `writable` (workers); never removes it.

        Raises SegmentError naming what is wrong: gone, another user's, damaged, another version, incomplete.
        """
        lease = Lease.attach(path_of(name))
        try:
            size = os.fstat(lease.descriptor).st_size
            layout = Layout.parse(os.pread(lease.descriptor, HEADER_SIZE, 0), size)
            if layout.flags & PERSISTENT and not lease.use():
                raise SegmentError(f"segment {lease.path.name} is being removed")
            access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
            mapping = map_segment(lease, layout.total_size, access)
            text = mapping[layout.metadata_offset : layout.metadata_offset + layout.metadata_length]
            return cls(lease, layout, mapping, layout.metadata(text), writable)
        except BaseException:
            lease.release()
            raise

    # Voxels

    def writer(self) -> SliceWriter:
        """For whoever fills the segment, and closes it then."""
        return SliceWriter(self, self._lease.reopen(writable=True), self._layout.voxels_offset)

    @property
    def voxels(self) -> npt.NDArray[np.uint8]:
        """All voxels as flat bytes; slice `index` starts at `index * slice_bytes`."""
        return self._view(np.dtype(np.uint8), self._layout.voxels_offset, self._layout.voxels_length)

    @property
    def array(self) -> npt.NDArray[Any]:
        """All voxels, with shape and type; read-only for attachers."""
        array: npt.NDArray[Any] = self.voxels.view(self.metadata["dtype"]).reshape(self.metadata["shape"])
        return array

    def _view(self, dtype: np.dtype[Any], offset: int, length: int) -> npt.NDArray[Any]:
        if self._mapping is None:
            raise UsageError("the volume is closed")
        return np.frombuffer(self._mapping, dtype, length // dtype.itemsize, offset)

    # States

    @property
    def board(self) -> Board:
        """The words that change; whoever keeps it can read them after `close` too."""
        if self._board is None:
            raise UsageError("the volume is closed")
        return self._board

    @property
    def states(self) -> npt.NDArray[np.uint8]:
        """The state of each slice now, a copy."""
        states = np.empty(self.slices, np.uint8)
        self.board.read_states(states)
        return states

    @property
    def ranges(self) -> npt.NDArray[np.float64]:
        """Least and greatest voxel of each slice, (slices, 2); live, read-only."""
        ranges = self._view(np.dtype("<f8"), self._layout.ranges_offset, self._layout.ranges_length).reshape(-1, 2)
        ranges.flags.writeable = False
        return ranges

    def state(self, index: int) -> int:
        """One slice's state; what was written before it was published can be read after this."""
        return self.board.state(index)

    def publish(self, index: int, state: int, minimum: float = math.nan, maximum: float = math.nan) -> bool:
        """Say that a slice's voxels have this state now, and wake who waits. From any thread or process.

        A state never gets worse, and a failed slice stays failed until `reset`; False if this was refused.
        """
        if state not in STATES[1:]:
            raise UsageError(f"{state} is not a state that a slice can get")
        return self.board.publish(index, state, minimum, maximum)

    def reset(self, index: int) -> bool:
        """Make a failed slice pending again, for a retry; False if it had not failed."""
        return self.board.reset(index)

    @property
    def counters(self) -> tuple[int, int, int]:
        """(full, failed, covered) slices; covered are those with any image, at whatever quality."""
        return self.board.counters

    @property
    def activity(self) -> str:
        """How the load stands: one of ACTIVITIES."""
        number = self.board.loading
        return ACTIVITIES[number] if number < len(ACTIVITIES) else "idle"

    def set_activity(self, activity: str) -> None:
        """Say how the load stands, and wake who waits."""
        self.board.set_loading(ACTIVITIES.index(activity))

    # Waiting

    @property
    def sequence(self) -> int:
        """Changes with every state change, modulo 2**32. Read it before the states, then wait for it to differ."""
        return self.board.sequence

    def touch(self) -> None:
        """Wake who waits without a change of state."""
        self.board.touch()

    def wait_change(self, sequence: int, timeout: float | None = None) -> int:
        """Sleep, without the GIL, until the sequence differs or `timeout` seconds have passed; returns it."""
        end = math.inf if timeout is None else time.monotonic() + timeout
        board = self.board
        while True:
            left = end - time.monotonic()
            now = board.wait(sequence, max(0.0, min(_NAP, left)))
            if now != sequence or left <= _NAP:
                return now

    @property
    def nbytes(self) -> int:
        """Memory that the segment takes, all of it: header, metadata, states, ranges and voxels."""
        return self._layout.total_size

    @property
    def owner_alive(self) -> bool:
        """False once the owner has closed the segment or died; the voxels stay readable."""
        return self._lease.alive

    # End

    @property
    def is_owner(self) -> bool:
        return self._lease.owner

    @property
    def closed(self) -> bool:
        return self._board is None

    def close(self) -> None:
        """Let go: the owner removes the name. Arrays that were handed out stay valid."""
        owner, board = self.is_owner, self._board
        self._finalizer()
        if owner and board is not None:
            board.touch()  # so that who waits elsewhere looks, and sees the owner gone
        self._board = self._mapping = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Segment {self.name} {self.metadata['dtype']} {tuple(self.metadata['shape'])}>"


def board_of(mapping: mmap.mmap, layout: Layout, *, writable: bool) -> Board:
    return Board(
        mapping,
        live=layout.live_offset,
        states=layout.states_offset,
        ranges=layout.ranges_offset,
        slices=layout.slices,
        writable=writable,
    )


def map_segment(lease: Lease, size: int, access: int) -> mmap.mmap:
    """Map all of it, as mmap.ACCESS_READ, _WRITE or _COPY say."""
    descriptor = lease.reopen(writable=access == mmap.ACCESS_WRITE)
    try:
        return mmap.mmap(descriptor, size, access=access)
    except (OSError, ValueError) as error:
        raise ResourceError(f"cannot map segment {lease.path.name}: {error}") from None
    finally:
        os.close(descriptor)


def _check_fill(fill: float, dtype: np.dtype[Any]) -> None:
    if dtype.kind == "f":
        return
    limits = np.iinfo(dtype)
    if not math.isfinite(fill) or not limits.min <= fill <= limits.max or fill != int(fill):
        raise UsageError(f"{dtype.name} cannot hold the fill value {fill}")
