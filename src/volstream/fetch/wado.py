"""A series, or single frames, on a DICOMweb server (WADO-RS, PS3.18 section 10.4)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator
from urllib.parse import urlsplit, urlunsplit

from volstream.errors import SourceError, UsageError, VolstreamError
from volstream.fetch.address import origin, redacted, without_user
from volstream.fetch.frames import FrameClient, url_of
from volstream.fetch.http import Http
from volstream.fetch.metadata import read_series
from volstream.fetch.options import FetchOptions
from volstream.fetch.pool import Put, Wanted, run_jobs
from volstream.fetch.series import stream_series
from volstream.fetch.source import Budget, Fetched
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
        self._frames = frames
        self._connections = options.connections
        self._retrieve = options.retrieve
        self._http = Http(options, basic=without_user(series[0])[1])
        self._client = FrameClient(self._http, self._query)
        self._count, self._is_many_small = 0, False

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

    async def records(self) -> list[FrameRecord]:
        records: list[FrameRecord] = []
        for series in self._series:
            found = await read_series(self._http, series, self._query)
            if self._frames is not None:
                found = [record for record in found if (series, record.uid, record.frame) in self._frames]
            records += found
        self._count = len(records)
        size = sum(record.pixel.frame_bytes for record in records)
        self._is_many_small = self._frames is None and self._count >= MANY and size <= SMALL * self._count
        if not records:
            raise SourceError("the series holds no images", address=self.address)
        if self._frames is not None and len(records) < len(self._frames):
            missing = len(self._frames) - len(records)
            raise SourceError(f"the server does not know {missing} of the imageIds", address=self.address)
        return records

    def stream(self, wanted: Iterator[FrameRecord], budget: Budget) -> AsyncGenerator[Fetched, None]:
        if self._retrieve == "series" or (self._retrieve == "auto" and self._is_many_small):
            return run_jobs([lambda put: self._by_series(list(wanted), budget, put)])
        queue = Wanted(wanted)
        return run_jobs([lambda put: self._by_frames(queue, budget, put)] * self._connections)

    async def _by_frames(self, queue: Wanted, budget: Budget, put: Put) -> None:
        while (record := queue.take()) is not None:
            batch = [record, *queue.take_same(record, self._client.batch_size(record) - 1)]
            # One lease for all of a batch: waiting for a second one while holding the first could last for ever.
            await budget.acquire(batch)
            await self._fetch(batch, put)

    async def _by_series(self, records: list[FrameRecord], budget: Budget, put: Put) -> None:
        by_series: dict[str, list[FrameRecord]] = {}
        for record in records:
            by_series.setdefault(url_of(record).rpartition("/instances/")[0], []).append(record)
        query = f"?{self._query}" if self._query else ""
        missing: list[FrameRecord] = []
        for series, some in by_series.items():
            if self._retrieve == "auto" and 2 * len(some) < self._count:
                missing += some  # too few of them to ask for all
                continue
            missing += await stream_series(self._http, series + query, some, budget, put)
        queue = Wanted(iter(missing))
        async with asyncio.TaskGroup() as group:
            for _ in range(self._connections):
                group.create_task(self._by_frames(queue, budget, put))

    async def close(self) -> None:
        await self._http.close()

    async def _fetch(self, batch: list[FrameRecord], put: Put) -> None:
        try:
            payloads = await self._client.several(batch) if len(batch) > 1 else None
        except VolstreamError:
            payloads = None  # each on its own: it has its own error, or none
        if payloads is not None:
            for result in zip(batch, payloads, strict=True):
                put(result)
            return
        for record in batch:
            try:
                put((record, await self._client.one(record)))
            except VolstreamError as error:
                put((record, error.located(uid=record.uid, address=redacted(url_of(record)))))
