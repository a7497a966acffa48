"""Frames to voxels in their places in one segment: decoded apart, then put there at once."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..errors import DamagedError, ResourceError, UnsupportedError, UsageError, VolstreamError
from ..fetch.source import Want
from ..plan.stages import Fill
from ..records import FileRange, Payload, Rescale
from ..store.layout import image_shape
from ..store.states import FULL, SUB_RESOLUTION
from .children import pool
from .decode import decode_native, native_spec, task_of
from .fills import made_from, voxels_of

if TYPE_CHECKING:
    from .._native import DecodeQueue, FrameSpec
    from ..store.segment import Segment
    from ..store.writer import SliceWriter

Executor = Literal["threads", "processes"]


@dataclass(slots=True)
class Job:
    """Everything needed to put one frame in its place."""

    want: Want
    payload: Payload
    rescale: Rescale
    #: Bytes of the budget that it holds until it is over.
    leased: int = 0


class Placer:
    """For any number of threads; `close` it when they are done.

    With `executor="processes"`, and for frames that only a plugin can decode, the calling thread hands its job to a
    child process and waits for it.
    """

    def __init__(self, segment: Segment, executor: Executor = "threads") -> None:
        if executor not in ("threads", "processes"):
            raise UsageError(f"executor must be 'threads' or 'processes', not {executor!r}")
        self._segment = segment
        self._writer: SliceWriter = segment.writer()
        self._dtype = str(segment.metadata["dtype"])
        self._image_shape = image_shape(tuple(segment.metadata["shape"]), segment.slices)
        self._remote = executor == "processes"
        self._local = threading.local()

    def submit(self, queue: DecodeQueue[Job], job: Job) -> None:
        """Put it in the queue: for the core alone if that can do it, else for a thread that will call `place`."""
        data, spec = job.payload.data, self.core_spec(job)
        if spec is None:
            queue.put(job)
        elif isinstance(data, FileRange):
            queue.put(job, spec, self._writer.native, job.want.index, FULL, self._dtype, data.ranges, data.path)
        else:
            queue.put(job, spec, self._writer.native, job.want.index, FULL, self._dtype, data)

    def core_spec(self, job: Job) -> FrameSpec | None:
        """What the core has to know for the whole frame; None if more than the core is needed."""
        if self._remote or job.want.reduce:
            return None
        with contextlib.suppress(UnsupportedError):
            return native_spec(job.want.record, job.payload, job.rescale)
        return None

    def place(self, job: Job) -> VolstreamError | None:
        """Decode, write and publish; the error if that failed, with nothing written."""
        try:
            self._place(job)
            return None
        except VolstreamError as error:
            failure = error
        except MemoryError:
            failure = ResourceError("out of memory while decoding")
        except Exception as error:
            failure = DamagedError(f"{type(error).__name__} while decoding: {error}")
            failure.__cause__ = error
        return located(failure, job.want)

    def make_up(self, index: int, count: int, fill: Fill) -> None:
        """Give the neighbours of a slice, in a stack of `count`, an image made from this one, if they have none."""
        first = index - index % count
        stack = slice(first, first + count)
        volume = self._segment.array.reshape(self._segment.slices, *self._image_shape)[stack]
        for made in made_from(self._segment.states[stack], index - first, fill):
            self._writer.put(first + made.target, voxels_of(made, volume), made.state)

    def fail(self, index: int) -> None:
        """Nothing will come: the fill value."""
        self._writer.fail(index)

    def close(self) -> None:
        self._writer.close()
        pool.forget()

    def _place(self, job: Job) -> None:
        want, voxels = job.want, self._scratch()
        state = SUB_RESOLUTION if want.reduce else FULL
        if not self._remote:
            try:
                extent = decode_native(want.record, job.payload, job.rescale, want.reduce, voxels, self._dtype)
            except UnsupportedError:
                pass
            else:
                self._writer.put(want.index, voxels, state, *extent)
                return
        task = task_of(want.record, job.payload, job.rescale, want.reduce, self._dtype)
        with self._writer.holding(want.index):
            if self._segment.state(want.index) < state:
                extent = pool.run(self._segment.name, want.index, task)
                self._segment.publish(want.index, state, *extent)

    def _scratch(self) -> bytearray:
        """A slice's worth of memory of this thread's own, kept from frame to frame."""
        voxels: bytearray | None = getattr(self._local, "voxels", None)
        if voxels is None:
            voxels = self._local.voxels = bytearray(self._segment.slice_bytes)
        return voxels


def located(error: VolstreamError, want: Want) -> VolstreamError:
    """The error of this want's frame."""
    return error.located(uid=want.record.uid, index=want.index, address=want.record.address)
