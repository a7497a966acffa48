"""One source being loaded into one volume: what stands behind a `Volume`'s control methods.

A session lives on one event loop: the caller's, under asyncio, or a private one in a thread of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from .caching import Opened
from .engine.options import EngineOptions
from .engine.pipeline import Pipeline
from .engine.staging import quality_of, stages_for
from .errors import UsageError, VolstreamError
from .loop import LoopThread
from .plan import PlanOptions, VolumePlan, build_plan
from .plan.stages import FULL_ONLY
from .store.segment import Segment
from .store.volume import Volume

if TYPE_CHECKING:
    from .caching import Filler, Keeper
    from .fetch.source import Source
    from .plan.stages import Stage
    from .store.layout import Layout

log = logging.getLogger("volstream")


class Session:
    """Loads `source`; `open` makes the volume, `start` begins to fill it. Implements `store.Controller`."""

    def __init__(
        self,
        source: Source,
        plan: PlanOptions,
        engine: EngineOptions,
        thread: LoopThread | None,
        keeper: Keeper | None = None,
    ) -> None:
        self._source = source
        self._plan_options = plan
        self._engine_options = engine
        self._thread = thread
        self._keeper = keeper
        self._pipeline: Filler | None = None
        self._segment: Segment | None = None
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._pid = os.getpid()
        self._lock = threading.Lock()
        #: Starts that were asked for and have not reached the loop yet.
        self._starting = 0
        #: The task has made its first step; a start met it while it ran; no cancel came after the last start.
        self._begun = self._again = self._wanted = False

    async def open(self, admit: Callable[[Layout], object] | None = None) -> Volume:
        """Fetch the headers, decide what will be built, allocate it; nothing is fetched or decoded yet.

        `admit` is shown the segment's layout before it is allocated, and may raise.
        """
        self._loop = asyncio.get_running_loop()
        if self._keeper is None:
            plan = await self.plan()
            segment = Segment.create(**self._describe(plan), admit=admit)
            opened = Opened(segment, self._fill(plan, segment), plan.geometry, plan)
        else:
            opened = await self._keeper.open(self._source, self._plan_options, self._describe, self._fill, admit)
        self._segment, self._pipeline = opened.segment, opened.filler
        self._pipeline.forget()  # until `start`
        return Volume(self._segment, self, geometry=opened.geometry, records=opened.records)

    def _describe(self, plan: VolumePlan) -> dict[str, Any]:
        """The arguments of `Segment.create`."""
        quality = quality_of(self._stages(plan) or FULL_ONLY, plan)
        return {
            "shape": plan.shape,
            "dtype": plan.dtype,
            "metadata": plan.metadata | {"quality": quality},
            "slices": len(plan.slots),
            "fill": plan.fill,
        }

    def _fill(self, plan: VolumePlan, segment: Segment) -> Pipeline:
        try:
            return Pipeline(self._source, plan, segment, self._engine_options, self._stages(plan))
        except BaseException:
            segment.close()
            raise

    def _stages(self, plan: VolumePlan) -> Sequence[Stage] | None:
        return stages_for(self._source, plan, self._engine_options.stages)

    async def plan(self) -> VolumePlan:
        """What the headers ask for."""
        return build_plan(await self._source.records(), self._plan_options)

    # Control: from any thread.

    @property
    def errors(self) -> Mapping[int, VolstreamError]:
        return self._pipeline.errors if self._pipeline else {}

    @property
    def is_bound(self) -> bool:
        return self._thread is None

    @property
    def order(self) -> Sequence[int]:
        assert self._pipeline is not None
        return self._pipeline.order

    def start(self, slices: Sequence[int] | None = None) -> None:
        assert self._segment is not None
        self._check_process()
        if self._closed:
            raise UsageError("the volume is closed")
        with self._lock:
            self._starting += 1
        self._segment.set_activity("loading")  # at once: who waits next must not see how an earlier load ended
        self._call(partial(self._start, slices))

    def cancel(self) -> None:
        self._check_process()
        if not self._closed:
            self._call(self._cancel)

    def prioritize(self, slices: Sequence[int]) -> None:
        assert self._pipeline is not None
        self._check_process()
        self._pipeline.prioritize(slices)

    def join(self) -> None:
        """Block until the load has ended, without waking for every slice. For sessions with a loop of their own."""
        assert self._thread is not None
        self._thread.run(self._joined())

    def check_may_block(self) -> None:
        """Waiting with blocking calls on the loop that loads would wait for ever."""
        with contextlib.suppress(RuntimeError):
            if asyncio.get_running_loop() is self._loop:
                raise UsageError("this volume loads on the running event loop: use `await volume.wait_async()`")

    def close(self) -> None:
        """Stop loading, close the source, end the private loop. Called by `Volume.close`."""
        if self._closed or os.getpid() != self._pid:  # a forked process has none of it
            return
        if self._thread is None:
            self.check_may_block()
            assert self._loop is not None
            asyncio.run_coroutine_threadsafe(self.aclose(), self._loop).result()
            return
        try:
            self._thread.run(self.aclose())
        finally:
            self._thread.close()

    async def aclose(self) -> None:
        """The same on the session's own loop."""
        self._closed = True
        self._cancel()
        await self._joined()
        await self._source.close()

    # On the session's loop.

    async def _joined(self) -> None:
        while self._task is not None and not self._task.done():
            await asyncio.wait([self._task])

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise UsageError("a forked process cannot control a load: its parent has the threads that do it")

    def _call(self, function: Any) -> None:
        assert self._loop is not None
        try:
            running: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is self._loop:
            function()
        else:
            self._loop.call_soon_threadsafe(function)

    def _start(self, slices: Sequence[int] | None) -> None:
        assert self._pipeline is not None
        with self._lock:
            self._starting -= 1
        if self._closed:
            return
        self._wanted = True
        self._pipeline.want(slices)
        if self._task is not None and not self._task.done():
            self._again = True  # joins it, unless that is ending and leaves something to do
            return
        self._begun = False
        self._task = asyncio.get_running_loop().create_task(self._run(), name="volstream-load")

    def _cancel(self) -> None:
        self._again = self._wanted = False
        if self._pipeline is not None:
            self._pipeline.forget()
        # A task that is cancelled before its first step would not even say that it has ended: it looks for itself.
        if self._task is not None and self._begun:
            self._task.cancel()

    async def _run(self) -> None:
        assert self._pipeline is not None
        assert self._segment is not None
        quality = self._segment.metadata["quality"]
        self._begun = True
        go_on = self._wanted
        while go_on:
            self._again = False
            try:
                await self._pipeline.run()
            except asyncio.CancelledError:
                pass  # said by the states
            except Exception:
                log.exception("the load ended by a bug")
                self._wanted = False
                break
            go_on = self._again and self._pipeline.lacks(quality)
        if (self._segment.states >= quality).all():  # a cancel that comes after the last slice changes nothing
            self._conclude("partial" if self._pipeline.errors else "complete")
        else:
            self._conclude("idle" if self._wanted else "cancelled")  # what was asked for is there, or not

    def _conclude(self, outcome: str) -> None:
        """Say how it ended, unless it is about to go on."""
        assert self._segment is not None
        with self._lock:
            if not self._starting:
                self._segment.set_activity(outcome)
