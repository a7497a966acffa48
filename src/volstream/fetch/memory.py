"""Images that are in memory already: bytes of Part 10 files, pydicom datasets, members of zip archives."""

from __future__ import annotations

import asyncio
import zipfile
import zlib
from collections.abc import Sequence
from typing import Any

from volstream.errors import DamagedError, NotDicomError, ResourceError, SourceError
from volstream.fetch.source import Put, Want
from volstream.headers.dataset import from_dataset
from volstream.headers.part10 import read_records
from volstream.records import FrameRecord

# Archives are unpacked into memory. What deflate makes of real images stays far below the ratio; single all-zero
# slices do not, so it is asked of the archive as a whole and only once that is large.
ARCHIVE_BYTES = 8 << 30
ARCHIVE_RATIO = 200
SMALL_ARCHIVE_BYTES = 256 << 20


class Here:
    """What sources have in common whose frames need no request."""

    connections, host, at_once = 1, "", False
    link = None

    def batch_size(self, record: FrameRecord) -> int:
        return 1

    async def fetch(self, wants: Sequence[Want], put: Put) -> Sequence[Want]:
        """Without I/O: what is here has a location, and nothing else can be had."""
        for want in wants:
            await put(want, SourceError("the frame has no data", uid=want.record.uid, address=want.record.address))
        return ()


class MemorySource(Here):
    """Datasets, or the bytes of files."""

    def __init__(self, items: list[Any]) -> None:
        self.address = f"{len(items)} images in memory"
        self.skipped: list[tuple[str, str]] = []
        self.identity, self.stamp = None, None
        self._items = items

    async def is_unchanged(self, stamp: Any) -> bool:
        return False

    async def records(self) -> list[FrameRecord]:
        return await asyncio.to_thread(self._read)

    async def close(self) -> None:
        self._items = []

    def _read(self) -> list[FrameRecord]:
        self.skipped.clear()
        records: list[FrameRecord] = []
        for index, item in enumerate(self._items):
            name = f"memory:{index}"
            read = read_records if isinstance(item, (bytes, bytearray, memoryview)) else from_dataset
            new = read(item, address=name)
            if not new:
                self.skipped.append((name, "holds no pixel data"))
            records.extend(new)
        if not records:
            raise SourceError("none of them holds pixel data", address=self.address)
        return records


def read_zip(path: str, skipped: list[tuple[str, str]]) -> list[FrameRecord]:
    """The images of a zip archive; members that are none are added to `skipped`."""
    records: list[FrameRecord] = []
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            _check_size(path, members)
            for member in sorted(members, key=lambda member: member.filename):
                if member.filename.rpartition("/")[2].upper() == "DICOMDIR":
                    continue
                # zipfile never hands out more than the size that was just checked.
                data = archive.read(member)
                name = f"{path}/{member.filename}"
                try:
                    new = read_records(data, address=name)
                except NotDicomError as error:
                    skipped.append((name, error.message))
                    continue
                if not new:
                    skipped.append((name, "holds no pixel data"))
                records.extend(new)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DamagedError(f"the archive is damaged: {error}", address=path) from error
    except (RuntimeError, NotImplementedError) as error:  # encrypted; a compression zipfile does not know
        raise SourceError(f"the archive cannot be read: {error}", address=path) from error
    except OSError as error:
        raise SourceError(f"cannot read the archive: {error.strerror}", address=path) from error
    return records


def _check_size(path: str, members: list[zipfile.ZipInfo]) -> None:
    total = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    if total > ARCHIVE_BYTES or (total > SMALL_ARCHIVE_BYTES and total > ARCHIVE_RATIO * packed):
        raise ResourceError(f"the archive claims {total} bytes in {packed}; refused", address=path)
