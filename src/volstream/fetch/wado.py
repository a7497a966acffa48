"""A series, or single frames, on a DICOMweb server (WADO-RS, PS3.18 section 10.4)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from volstream.errors import SourceError, UsageError, VolstreamError
from volstream.fetch.address import origin, redacted, without_secrets, without_user
from volstream.fetch.frames import FrameClient, url_of
from volstream.fetch.http import Http
from volstream.fetch.link import Link
from volstream.fetch.metadata import read_instance, read_series
from volstream.fetch.options import FetchOptions
from volstream.fetch.ranges import RangeClient
from volstream.fetch.series import stream_series
from volstream.fetch.source import Put, Want
from volstream.fetch.witness import Stamp, Witness
from volstream.records import FrameRecord

#: From so many images on, of so many bytes at most, a series is asked for as a whole. Against Orthanc that was 1.5 to 2
#: times as fast, for images of 13 and of 128 KB.
MANY, SMALL = 64, 128 << 10


class WadoSource:
    """Series on one server; all their frames, or those that were named."""

    def __init__(
        self, series: list[str], options: FetchOptions, frames: set[tuple[str, str, int]] | None = None
    ) -> None:
        self._series = list(dict.fromkeys(redacted(url).rstrip("/") for url in series))
        if len({(origin(url), urlsplit(url).query, without_user(url)[1]) for url in series}) > 1:
            raise UsageError("one source is on one server, with one query and one user")
        self.address = self._series[0]
        self.skipped: list[tuple[str, str]] = []
        self._query = urlsplit(series[0]).query
        self.identity = ("wadors", *self._series, without_secrets(self._query), *_texts(frames))
        #: Of the metadata of each series, in order.
        self.stamp: list[Stamp] = []
        self._changed: dict[str, tuple[list[FrameRecord], Stamp]] = {}
        self._frames = frames
        self.connections, self.host, self.at_once = options.connections, origin(series[0]), False
        self._retrieve = options.retrieve
        self._http = Http(options, basic=without_user(series[0])[1])
        self._client = FrameClient(self._http, self._query)
        self._ranges = RangeClient(self._http, self._client)
        self._count = 0

    @classmethod
    def from_series(cls, urls: list[str], options: FetchOptions) -> WadoSource:
        """From URLs of series: `https://host/.../studies/{study}/series/{series}`."""
        for url in urls:
            if not re.search(r"/series/[0-9.]+/?$", urlsplit(url).path):
                raise UsageError("not the URL of a series (.../series/UID)", address=redacted(url))
        return cls(urls, options)

    @classmethod
    def from_image_ids(cls, image_ids: list[str], options: FetchOptions) -> WadoSource:
        """From imageIds: `wadors:https://host/.../series/{series}/instances/{instance}/frames/{number}`."""
        series: list[str] = []
        frames: set[tuple[str, str, int]] = set()
        for image_id in image_ids:
            parts = urlsplit(image_id.partition(":")[2])
            match = re.fullmatch(r"(.*/series/[0-9.]+)/instances/([0-9.]+)/frames/([1-9][0-9]*)", parts.path)
            if not match:
                raise UsageError("not the imageId of a frame (wadors:.../frames/N)", address=redacted(image_id))
            url = urlunsplit(parts._replace(path=match[1], fragment=""))
            series.append(url)
            frames.add((redacted(url), match[2], int(match[3]) - 1))
        return cls(list(dict.fromkeys(series)), options, frames)

    async def is_unchanged(self, stamp: Any) -> bool:
        if not stamp:
            return False
        for series, since in zip(self._series, stamp, strict=True):
            witness = Witness(since)
            if (found := await self._read(series, witness)) is not None:
                self._changed[series] = found, witness.stamp
                return False
        return True

    async def records(self) -> list[FrameRecord]:
        records: list[FrameRecord] = []
        self.stamp = []
        for series in self._series:
            if series in self._changed:
                found, stamp = self._changed.pop(series)
            else:
                witness = Witness()
                found, stamp = await self._read(series, witness) or [], witness.stamp
            self.stamp.append(stamp)
            if self._frames is not None:
                found = [record for record in found if (series, record.uid, record.frame) in self._frames]
            records += found
        self._count = len(records)
        size = sum(record.pixel.frame_bytes for record in records)
        many_small = self._frames is None and self._count >= MANY and size <= SMALL * self._count
        self.at_once = self._retrieve == "series" or (self._retrieve == "auto" and many_small)
        if not records:
            raise SourceError("the series holds no images", address=self.address)
        if self._frames is not None and len(records) < len(self._frames):
            missing = len(self._frames) - len(records)
            raise SourceError(f"the server does not know {missing} of the imageIds", address=self.address)
        return records

    async def _read(self, series: str, witness: Witness) -> list[FrameRecord] | None:
        """The headers that are needed; None if the witness knows them."""
        uids = {uid for place, uid, _ in self._frames or () if place == series}
        if len(uids) == 1:
            return await read_instance(self._http, series, uids.pop(), self._query, witness)
        return await read_series(self._http, series, self._query, witness)

    @property
    def link(self) -> Link:
        return self._http.link

    def batch_size(self, record: FrameRecord) -> int:
        return self._client.batch_size(record)

    async def fetch(self, wants: Sequence[Want], put: Put) -> Sequence[Want]:
        if self.at_once:
            self.at_once = False  # what the answer leaves out is asked for frame by frame
            return await self._fetch_series(wants, put)
        await self._fetch_frames(list(wants), put)
        return ()

    async def _fetch_series(self, wants: Sequence[Want], put: Put) -> Sequence[Want]:
        by_series: dict[str, list[Want]] = {}
        for want in wants:
            by_series.setdefault(url_of(want.record).rpartition("/instances/")[0], []).append(want)
        query = f"?{self._query}" if self._query else ""
        missing: list[Want] = []
        for series, some in by_series.items():
            if self._retrieve == "auto" and 2 * len(some) < self._count:
                missing += some  # too few of them to ask for all
            else:
                missing += await stream_series(self._http, series + query, some, put)
        return missing

    async def _fetch_frames(self, batch: list[Want], put: Put) -> None:
        records = [want.record for want in batch]
        try:
            together = len(batch) > 1 and not any(map(self._ranges.serves, batch))
            payloads = await self._client.several(records) if together else None
        except VolstreamError:
            payloads = None  # each on its own: it has its own error, or none
        if payloads is not None:
            for want, payload in zip(batch, payloads, strict=True):
                await put(want, payload)
            return
        for want in batch:
            record = want.record
            try:
                in_parts = self._ranges.serves(want)
                await put(want, await (self._ranges.get(want) if in_parts else self._client.one(record)))
            except VolstreamError as error:
                await put(want, error.located(uid=record.uid, address=redacted(url_of(record))))

    async def close(self) -> None:
        await self._http.close()


def _texts(frames: set[tuple[str, str, int]] | None) -> list[str]:
    return sorted(f"{series} {uid} {frame}" for series, uid, frame in frames or ())
