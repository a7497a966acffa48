"""Files, folders and zip archives. Headers are read here; pixels stay where they are for the native core."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from volstream.errors import NotDicomError, SourceError
from volstream.fetch.memory import Here, read_zip
from volstream.fetch.state import state_of
from volstream.headers.part10 import read_records
from volstream.records import FrameRecord

log = logging.getLogger(__name__)


class LocalSource(Here):
    """Files, folders (searched recursively) and zip archives, as one source."""

    def __init__(self, paths: list[str], address: str, frames: dict[str, set[int]] | None = None) -> None:
        self.address = address
        self.skipped: list[tuple[str, str]] = []
        self._paths = paths
        #: Frames wanted of a file, from 0; all of them if the set is empty.
        self._frames = frames or {}
        wanted = [f"{path}?frame={number + 1}" for path in paths for number in sorted(self._frames.get(path, ()))]
        self.identity = ("file", *paths, *map(os.path.abspath, paths), *wanted)
        self.stamp: str | None = None
        self._closed = threading.Event()

    @classmethod
    def from_image_ids(cls, image_ids: list[str]) -> LocalSource:
        """`dicomfile:PATH` for all frames of a file, `dicomfile:PATH?frame=N` for one, counted from 1."""
        frames: dict[str, set[int]] = {}
        for image_id in image_ids:
            path, marker, number = image_id.partition(":")[2].rpartition("?frame=")
            if marker and number.isdecimal():
                frames.setdefault(path, set()).add(int(number) - 1)
            else:
                frames[image_id.partition(":")[2]] = set()
        address = image_ids[0] if len(image_ids) == 1 else f"{len(image_ids)} imageIds"
        return cls(list(frames), address, frames)

    async def is_unchanged(self, stamp: Any) -> bool:
        """By names, sizes and times of the files, as they are before any of them is read."""
        self.stamp = await asyncio.to_thread(state_of, lambda: [path for path, _ in self._files()])
        return bool(self.stamp == stamp)

    async def records(self) -> list[FrameRecord]:
        try:
            return await asyncio.to_thread(self._read)
        except asyncio.CancelledError:
            self._closed.set()
            raise

    async def close(self) -> None:
        self._closed.set()

    def _read(self) -> list[FrameRecord]:
        self.skipped.clear()
        records: list[FrameRecord] = []
        for path, given in self._files():
            records += self._read_file(path, given=given)
        if not records:
            reason = f"none of {len(self.skipped)} files is a DICOM image" if self.skipped else "no files"
            raise SourceError(reason, address=self.address)
        if self.skipped:
            log.info("%d files are no DICOM images and were left out", len(self.skipped))
        return records

    def _files(self) -> Iterator[tuple[str, bool]]:
        """The files, and whether they were named, rather than found in a folder."""
        for path in self._paths:
            if Path(path).is_dir():
                yield from ((found, False) for found in _walk(path))
            else:
                yield path, True

    def _read_file(self, path: str, *, given: bool) -> list[FrameRecord]:
        if self._closed.is_set():
            raise SourceError("the source was closed", address=self.address)
        try:
            records = read_records(path)
        except NotDicomError as error:
            if given and _is_zip(path):
                records = read_zip(path, self.skipped)
            # One file must be an image; among images there may be others.
            elif given and len(self._paths) == 1:
                raise
            else:
                self.skipped.append((path, error.message))
                return []
        if not records:
            self.skipped.append((path, "holds no pixel data"))
        frames = self._frames.get(path)
        if not frames:
            return records
        if missing := frames - {record.frame for record in records}:
            raise SourceError(f"the file has {len(records)} frames, and no frame {min(missing) + 1}", address=path)
        return [record for record in records if record.frame in frames]


def _walk(top: str) -> Iterator[str]:
    """Files below `top` in a fixed order; hidden ones, DICOMDIR and a cache's own are left out."""
    try:
        with os.scandir(top) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        raise SourceError(f"cannot read the folder: {error.strerror}", address=top) from None
    for entry in entries:
        if entry.name.startswith(".") or entry.name.endswith(".volstream") or entry.name.upper() == "DICOMDIR":
            continue
        # Links to folders are not followed: they may lead round in a circle.
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path)
        elif entry.is_file():
            yield entry.path


def _is_zip(path: str) -> bool:
    with Path(path).open("rb") as file:
        return file.read(4) == b"PK\x03\x04"
