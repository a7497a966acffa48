"""Finished volumes on disk: one segment file each, found again by what it was made from and how."""

from __future__ import annotations

import logging
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ResourceError, SegmentError, UsageError, VolstreamError
from . import memory
from .cached import CachedSegment
from .entries import SUFFIX, by_age, locked, remove_dead, remove_outdated, remove_unused
from .layout import Layout
from .lease import CAN_TELL_USE

log = logging.getLogger("volstream.store")


@dataclass(frozen=True, slots=True)
class CacheOptions:
    """Where to keep finished volumes for the next time.

    cache_dir: a folder on a local disk; made, for this user alone, if it is not there. None: nothing is kept.
    cache_limit: bytes that all files in it may have. Those used longest ago make room; a volume for which there is
        none is loaded as if there were no cache.
    cache_verify: compare the voxels of a kept volume with their checksum before it is used.
    """

    cache_dir: str | os.PathLike[str] | None = None
    cache_limit: float = 20 << 30
    cache_verify: bool = False

    def __post_init__(self) -> None:
        if self.cache_dir is not None and not isinstance(self.cache_dir, (str, os.PathLike)):
            raise UsageError(f"cache_dir must be a path, not {self.cache_dir!r}")
        if not isinstance(self.cache_limit, (int, float)) or not self.cache_limit >= 0:
            raise UsageError(f"cache_limit must be a number of bytes, not {self.cache_limit!r}")


class DiskCache:
    """A folder of segment files, shared by all processes of this user. Its methods block, but never for a load."""

    def __init__(self, options: CacheOptions) -> None:
        assert options.cache_dir is not None
        if not CAN_TELL_USE:
            raise UsageError("cache_dir needs locks of open files, which this system does not have")
        self.folder = Path(options.cache_dir).expanduser().absolute()
        self._limit = options.cache_limit
        self._verify = options.cache_verify
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ResourceError(f"cannot use {self.folder} as a cache: {error.strerror}") from None

    def find(self, key: str) -> CachedSegment | None:
        """The volume under this key, whole or on its way; what is neither, or damaged, is removed."""
        with locked(self.folder):
            segment = self._attach(key)
        if segment is None or not segment.sealed:
            return segment
        if self._verify and not segment.voxels_are_right():
            segment.close()
            with locked(self.folder):
                self._remove(Path(segment.name), "its voxels are damaged")
            return None
        segment.mark_used()
        return segment

    def create(
        self, key: str, made_from: dict[str, Any], *, metadata: dict[str, Any], **described: Any
    ) -> CachedSegment | None:
        """A new file under this key, or what another process has made from the same meanwhile.

        described: further arguments of `Segment.create`.
        None, and the reason in the log, if it is not to be had: there is no room, or another process is filling the
        file from an older state of the source.
        """
        with locked(self.folder):
            segment = self._attach(key)
            if segment is not None:
                if segment.made_from == made_from:
                    return segment
                segment.detach()
                if not self._remove(Path(segment.name), "the source has changed"):
                    log.warning("not cached: another process is loading it, from an older source")
                    return None
            try:
                metadata = metadata | {"cache": made_from}
                # No name is used twice: processes that decode open the file by it.
                path = self.folder / f"{key}-{secrets.token_hex(4)}{SUFFIX}"
                return CachedSegment.create(metadata=metadata, path=path, admit=self._admit, **described)
            except (VolstreamError, OSError) as error:
                log.warning("not cached: %s", error)
                return None

    def _attach(self, key: str) -> CachedSegment | None:
        """There is one file for a key, but for a moment in which a process was killed."""
        for path in self.folder.glob(f"{key}-*{SUFFIX}"):
            if not self._sweep(path) and (segment := self._open(path)) is not None:
                return segment
        return None

    def _open(self, path: Path) -> CachedSegment | None:
        try:
            segment = CachedSegment.attach(path)
        except SegmentError as error:
            self._remove(path, error)
            return None
        if segment.sealed and not segment.states_are_right():
            segment.detach()
            self._remove(path, "its states are damaged")
            return None
        return segment

    def _sweep(self, path: Path) -> bool:
        if removed := remove_dead(path):
            log.info("%s was not finished: removed", path.name)
        return removed

    def _remove(self, path: Path, reason: object) -> bool:
        log.info("%s is made anew: %s", path.name, reason)
        return remove_outdated(path)

    def _admit(self, layout: Layout) -> None:
        """Make room; ResourceError if there is not enough of it."""
        size = layout.total_size
        if size > self._limit:
            raise ResourceError(f"the volume needs {size} bytes, and cache_limit is {self._limit:.0f}")
        entries = [(path, length) for path, length in by_age(self.folder) if not self._sweep(path)]
        used = sum(length for _, length in entries)
        for path, length in entries:
            if used + size <= self._limit and size <= memory.available(self.folder)[0]:
                break
            if remove_unused(path):
                log.info("%s is removed to make room", path.name)
                used -= length
        if used + size > self._limit:
            raise ResourceError(f"the volume needs {size} bytes, but the cache is full of volumes in use")
