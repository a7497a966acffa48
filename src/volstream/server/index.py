"""What a server serves: the instances found in a folder, by their UIDs. No path is ever made from a request."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path

from volstream.errors import SourceError, VolstreamError
from volstream.headers.part10 import read_records
from volstream.records import FileRange, FrameRecord

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Instance:
    """One SOP instance in a file."""

    uid: str
    path: Path
    #: One a frame; `location` is None where the bytes have to be unpacked first (deflated files).
    records: tuple[FrameRecord, ...]

    @property
    def transfer_syntax(self) -> str:
        return self.records[0].transfer_syntax


@dataclass(frozen=True, slots=True)
class Series:
    study_uid: str
    series_uid: str
    instances: dict[str, Instance]

    @property
    def path(self) -> str:
        """Below the server's base URL."""
        return f"/studies/{self.study_uid}/series/{self.series_uid}"


def read_folder(folder: str | os.PathLike[str]) -> list[Series]:
    """The series in a folder and the folders in it, in the order of their first files.

    Files that are no DICOM images, or damaged, are left out with a line in the log; SourceError if nothing is left.
    """
    found: dict[tuple[str, str], Series] = {}
    for path in sorted(Path(folder).rglob("*")):
        if not path.is_file():
            continue
        try:
            records = read_records(path)
        except VolstreamError as error:
            log.info("not served: %s", error)
            continue
        if not records:
            continue
        first = records[0]
        uids = (first.series.study_uid, first.series.series_uid)
        series = found.setdefault(uids, Series(*uids, {}))
        if first.uid in series.instances:
            log.warning("not served: %s, the same instance as %s", path, series.instances[first.uid].path)
            continue
        series.instances[first.uid] = Instance(first.uid, path, tuple(_on_disk(record) for record in records))
    if not found:
        raise SourceError("no DICOM images to serve", address=os.fspath(folder))
    return list(found.values())


def _on_disk(record: FrameRecord) -> FrameRecord:
    """Bytes that were unpacked to read the header are not kept."""
    return record if isinstance(record.location, FileRange) else replace(record, location=None)
