"""`load`, `open` and `attach`: the rooms composed into what users call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any, cast

from .caching import keeper_for
from .errors import UsageError, ValueRangeError, VolstreamError
from .fetch.source import open_source
from .loop import LoopThread
from .opening import open_on_thread, split_options
from .plan import VolumePlan
from .progress import report
from .session import Session
from .store.segment import Segment
from .store.volume import Volume
from .volumes import load_without_headers

log = logging.getLogger("volstream")

#: True, or a function of (slices done, slices in all).
Progress = bool | Callable[[int, int], None]


def load(
    source: Any, *, on_error: str = "raise", progress: Progress = False, prefetch: bool = True, **options: Any
) -> Volume:
    """Load a series, and return its volume when every slice is in place.

    source: a DICOMweb series URL; a list of imageIds (`wadors:`, `wadouri:`, `dicomfile:`); a folder, glob, list of
        files, zip; datasets or bytes in memory.
    on_error: "raise" (default) raises the first slice's error (its `others` has the rest); "fill" leaves the fill
        value in slices that failed: see `volume.errors` and `volume.states`.
    progress: True for a progress bar, or a function of (done, total).
    prefetch: False does without the headers of the series: each image of a list of imageIds is loaded by itself, and
        the volume made out of them. To compare with; it needs the memory of both.
    options: any field of `PlanOptions`, `FetchOptions`, `EngineOptions` and `CacheOptions`.

    `volume.array` is (k, j, i) or (t, k, j, i), colour last, in `volume.units`; `volume.affine` maps (i, j, k, 1) to
    LPS mm (PS3.3 C.7.6.2). Where the dtype chosen from the headers turns out too narrow for the voxels, the series is
    loaded again with a wider one.
    Raises SourceError, ProtocolError, GeometryError, UnsupportedError, DamagedError, ResourceError, UsageError.
    """
    if on_error not in ("raise", "fill"):
        raise UsageError(f"on_error must be 'raise' or 'fill', not {on_error!r}")
    if not prefetch:
        if on_error != "raise" or progress:
            raise UsageError("prefetch=False neither fills what failed nor shows progress")
        return load_without_headers(source, options)
    options = {"stages": "full", **options}
    volume, session = _open(source, options)
    try:
        errors = _join(volume, session, progress)
        if options.get("dtype") is None and any(isinstance(error, ValueRangeError) for error in errors):
            log.info("voxels exceed %s: loading again as int32", volume.dtype)
            volume.close()
            volume, session = _open(source, options, dtype="int32")
            errors = _join(volume, session, progress)
        if errors and on_error == "raise":
            errors[0].others = tuple(errors[1:])
            raise errors[0]
        session.close()  # the volume stays; loop and connections have done their work
    except BaseException:
        volume.close()
        raise
    return volume


def _join(volume: Volume, session: Session, progress: Progress) -> list[VolstreamError]:
    if progress:
        report(volume, progress)
    session.join()
    return list(volume.errors.values())


def open(source: Any, **options: Any) -> Volume:
    """Open a series for streaming: back as soon as its headers are in, while the slices arrive.

    Use it as a context manager; leaving it stops the load and releases everything. Under asyncio,
    `async with volstream.open(source) as volume` loads on the running loop. Options as for `load`.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _open(source, options)[0]
    # A notebook has a running loop too, and may use any of the forms.
    return cast(Volume, Opening(source, options))


def attach(name: str) -> Volume:
    """Another process's volume, live and without a copy; `name` is its `volume.name`. Raises SegmentError."""
    return Volume(Segment.attach(name), None)


class Opening:
    """What `open` returns under a running event loop: `async with` and `await` load on that loop, everything else
    turns it into a volume that loads on a loop of its own."""

    def __init__(self, source: Any, options: dict[str, Any]) -> None:
        self._source = source
        self._options = options
        self._volume: Volume | None = None

    async def _aopen(self) -> Volume:
        if self._volume is None:
            session = _session(self._source, self._options, None)
            try:
                self._volume = await session.open()
            except BaseException:
                await session.aclose()
                raise
            session.start()
        return self._volume

    def __await__(self) -> Generator[Any, None, Volume]:
        return self._aopen().__await__()

    async def __aenter__(self) -> Volume:
        return await (await self._aopen()).__aenter__()

    async def __aexit__(self, *exception: Any) -> None:
        assert self._volume is not None
        await self._volume.__aexit__(*exception)

    def _resolve(self) -> Volume:
        if self._volume is None:
            self._volume, _ = _open(self._source, self._options)
        return self._volume

    def __enter__(self) -> Volume:
        return self._resolve().__enter__()

    def __exit__(self, *exception: Any) -> None:
        self._resolve().__exit__(*exception)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._resolve(), name)


def inspect(source: Any, **options: Any) -> VolumePlan:
    """What `load` would build: shape, dtype, geometry with its findings, one slot a slice. Reads headers only."""
    thread = LoopThread()
    try:
        session = _session(source, options, thread)
        try:
            return thread.run(session.plan())
        finally:
            thread.run(session.aclose())
    finally:
        thread.close()


def _open(source: Any, options: dict[str, Any], **found: Any) -> tuple[Volume, Session]:
    """`found`: options of the plan that the data asked for, and not the caller."""
    plan, fetch, engine, cache = split_options(options)
    keeper = keeper_for(cache, plan)
    volume, session = open_on_thread(open_source(source, fetch), replace(plan, **found), engine, keeper)
    volume.load()
    return volume, session


def _session(source: Any, options: dict[str, Any], thread: LoopThread | None) -> Session:
    plan, fetch, engine, cache = split_options(options)
    return Session(open_source(source, fetch), plan, engine, thread, keeper_for(cache, plan))
