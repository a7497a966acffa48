"""A volume that is kept on disk: taken from there if it is still right, loaded into a file there if not."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeGuard

import numpy as np

from . import __version__, _native
from .engine.pipeline import see_out
from .errors import HttpStatusError, SourceError, UnreachableError, VolstreamError
from .plan import Geometry, PlanOptions, VolumePlan, build_plan
from .records import Finding, FrameRecord
from .store.cached import CachedSegment
from .store.changes import change
from .store.disk import CacheOptions, DiskCache
from .store.layout import Layout
from .store.meaning import geometry_of
from .store.segment import Segment
from .store.states import FULL

if TYPE_CHECKING:
    from .fetch.source import Source

log = logging.getLogger("volstream")

#: Statuses of what stands before a server: they say nothing about the series.
AWAY = frozenset({502, 503, 504})
#: How often to look whether the process that fills a volume still lives, seconds.
LOOK = 0.2


class Filler(Protocol):
    """Loads what is pending: a pipeline, or what stands in its place."""

    @property
    def errors(self) -> Mapping[int, VolstreamError]: ...

    async def run(self) -> None: ...

    def prioritize(self, slices: Iterable[int]) -> None: ...

    @property
    def order(self) -> Sequence[int]: ...

    def want(self, slices: Iterable[int] | None = None) -> None: ...

    def forget(self) -> None: ...

    def lacks(self, quality: int) -> bool: ...


#: The arguments of `Segment.create` for a plan.
Describe: TypeAlias = Callable[[VolumePlan], dict[str, Any]]
#: Makes the pipeline that fills a segment.
Fill: TypeAlias = Callable[[VolumePlan, Segment], Filler]
#: Is shown what will take memory, and may raise.
Admit: TypeAlias = Callable[[Layout], object] | None


@dataclass(frozen=True, slots=True)
class Opened:
    """A segment and what loads it; how it was planned, if that was not found in the cache."""

    segment: Segment
    filler: Filler
    #: None: as the metadata say.
    geometry: Geometry | None = None
    plan: VolumePlan | None = None

    @property
    def records(self) -> list[FrameRecord | None]:
        return [slot.record for slot in self.plan.slots] if self.plan else []


def keeper_for(options: CacheOptions, asked: PlanOptions) -> Keeper | None:
    """Who keeps volumes, if the caller wants that."""
    return None if options.cache_dir is None else Keeper(DiskCache(options), asked)


class Keeper:
    """Opens volumes through a cache, for a session. `asked` are the caller's options, which an entry is known by."""

    def __init__(self, cache: DiskCache, asked: PlanOptions) -> None:
        self._cache = cache
        self._asked = asked

    async def open(
        self, source: Source, options: PlanOptions, describe: Describe, fill: Fill, admit: Admit = None
    ) -> Opened:
        """The kept volume, if it is right still; else one that is to be loaded, and kept if that can be."""
        key = self._key(source)
        if key is not None and (found := await self._find(key, source, options)) is not None:
            segment, geometry = found
            _admit(segment, admit)
            return Opened(segment, CachedLoad(segment, source, options, fill), geometry)
        plan = build_plan(await source.records(), options)
        described = describe(plan)
        kept = key and await self._make(key, source, described)
        if not kept:
            plain = Segment.create(**described, admit=admit)
            return Opened(plain, fill(plan, plain), plan.geometry, plan)
        _admit(kept, admit)
        filler = fill(plan, kept) if kept.is_owner else None
        return Opened(kept, CachedLoad(kept, source, options, fill, filler), plan.geometry, plan)

    def _key(self, source: Source) -> str | None:
        if source.identity is None:
            log.info("not cached: %s have no lasting identity", source.address)
            return None
        return hashlib.sha256(repr((source.identity, self._asked, os.geteuid())).encode()).hexdigest()

    async def _make(self, key: str, source: Source, described: dict[str, Any]) -> CachedSegment | None:
        """A file to load into; None if there is to be none."""
        if described["metadata"]["quality"] != FULL:
            log.info("not cached: less than full quality is wanted")
            return None
        made_from = {"by": _program(), "stamp": source.stamp, "dtype": described["dtype"].name, "boot": _boot()}
        return await asyncio.to_thread(self._cache.create, key, made_from, **described)

    async def _find(
        self, key: str, source: Source, options: PlanOptions
    ) -> tuple[CachedSegment, Geometry | None] | None:
        """What is kept, or just being loaded elsewhere, if the source still holds the same, or does not tell."""
        segment = await asyncio.to_thread(self._cache.find, key)
        made_from = (segment and segment.made_from) or {}
        # Wider than what the caller asked for is what `load` found necessary.
        is_wide_enough = options == self._asked or made_from.get("dtype") == options.dtype
        # States of a file that was not sealed when the machine went down may be on the disk without their voxels.
        is_true = segment is not None and (segment.sealed or made_from.get("boot") == _boot())
        is_ours = made_from.get("by") == _program() and is_wide_enough and is_true
        try:
            if await source.is_unchanged(made_from.get("stamp") if is_ours else None):
                assert segment is not None
                return segment, None
        except BaseException as error:
            if segment is None:
                raise
            if not is_ours or not _is_away(error):
                segment.close()
                raise
            since = datetime.fromtimestamp(segment.created, UTC)
            message = (
                f"as it was on {since:%Y-%m-%d %H:%M:%S} UTC; the server does not tell what it has now: {error.message}"
            )
            log.warning("%s is taken from the cache, %s", source.address, message)
            geometry = geometry_of(segment.metadata)
            findings = (*geometry.findings, Finding("offline", message))
            return segment, dataclasses.replace(geometry, findings=findings)
        if segment is not None:
            segment.close()
        return None


def _admit(segment: CachedSegment, admit: Admit) -> None:
    if admit is None:
        return
    try:
        admit(segment.layout)
    except BaseException:
        segment.close()
        raise


@lru_cache(maxsize=1)
def _program() -> str:
    """What makes the voxels: with another version, or another codec library, they may be others."""
    codecs = sorted(f"{row['name']} {row['library']} {row['version']}" for row in _native.codecs())
    return ", ".join([f"volstream {__version__}", *codecs])


@lru_cache(maxsize=1)
def _boot() -> str:
    """Since when this machine runs, as a name."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _is_away(error: BaseException) -> TypeGuard[VolstreamError]:
    return isinstance(error, UnreachableError) or (isinstance(error, HttpStatusError) and error.status in AWAY)


class CachedLoad:
    """Fills a file of the cache; or follows the process that does so, and goes on where that one ends."""

    def __init__(
        self, segment: CachedSegment, source: Source, options: PlanOptions, fill: Fill, filler: Filler | None = None
    ) -> None:
        self._segment = segment
        self._source = source
        self._options = options
        self._fill = fill
        self._filler = filler
        self._wanted = set(range(segment.slices))
        self._errors: dict[int, VolstreamError] = {}

    @property
    def order(self) -> Sequence[int]:
        return self._filler.order if self._filler is not None else range(self._segment.slices)

    def want(self, slices: Iterable[int] | None = None) -> None:
        """Another process that fills the file loads all of it."""
        wanted = range(self._segment.slices) if slices is None else list(slices)
        self._wanted.update(wanted)
        if self._filler is not None:
            self._filler.want(slices if slices is None else wanted)

    def forget(self) -> None:
        self._wanted.clear()
        if self._filler is not None:
            self._filler.forget()

    def lacks(self, quality: int) -> bool:
        return any(self._segment.state(index) < quality for index in self._wanted)

    def prioritize(self, slices: Iterable[int]) -> None:
        """Without effect on another process."""
        if self._filler is not None:
            self._filler.prioritize(slices)

    @property
    def errors(self) -> Mapping[int, VolstreamError]:
        return {**(self._filler.errors if self._filler else {}), **self._errors}

    async def run(self) -> None:
        """Until every slice is there or has failed here; then the file is sealed, if they are all there."""
        segment = self._segment
        while not segment.sealed:
            sequence = segment.sequence
            if segment.claim():
                try:
                    await self._load()
                finally:
                    segment.free()
                return
            await change(segment, sequence, LOOK)

    async def _load(self) -> None:
        segment = self._segment
        self._errors.clear()
        try:
            if not segment.complete:
                self._filler = self._filler or await self._take_over()
                await self._filler.run()
        except VolstreamError as error:
            self._give_up(error)
        finally:
            # Even if the load was cancelled: who closes a volume when all has arrived wants to find it again.
            if segment.complete and not segment.sealed:
                await see_out(asyncio.ensure_future(asyncio.to_thread(self._seal)))

    async def _take_over(self) -> Filler:
        segment, options = self._segment, dataclasses.replace(self._options, dtype=self._segment.dtype.name)
        plan = build_plan(await self._source.records(), options)
        # Asked afterwards: if nothing has changed until now, the records are those that the volume was made for.
        is_same = await self._source.is_unchanged(segment.made_from["stamp"])
        if not is_same or plan.shape != tuple(segment.metadata["shape"]):
            raise SourceError("the images have changed since another process began to load them")
        log.info("%s is loaded on in this process", segment.name)
        filler = self._fill(plan, segment)
        filler.forget()
        filler.want(self._wanted)
        return filler

    def _give_up(self, error: VolstreamError) -> None:
        writer = self._segment.writer()
        try:
            for index in np.flatnonzero(self._segment.pending).tolist():
                self._errors[index] = copy(error).located(index=index, address=self._source.address)
                writer.fail(index)
        finally:
            writer.close()

    def _seal(self) -> None:
        try:
            self._segment.seal()
        except OSError as error:
            log.warning("not kept: %s: %s", self._segment.name, error.strerror)
