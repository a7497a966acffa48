"""Instances over WADO-URI (PS3.18 section 9): each answer is a Part 10 object, headers and pixels in one."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

from volstream.errors import DamagedError, NotDicomError, ProtocolError, SourceError, UsageError, VolstreamError
from volstream.fetch.address import origin, redacted, without_secrets, without_user
from volstream.fetch.answer import Answer, Limits
from volstream.fetch.frames import payloads_of
from volstream.fetch.http import Http, printable
from volstream.fetch.link import Link
from volstream.fetch.options import FetchOptions
from volstream.fetch.pool import all_of
from volstream.fetch.source import Put, Want
from volstream.fetch.witness import Stamp, Witness
from volstream.headers.part10 import read_records
from volstream.records import FrameRecord

#: Objects that came with the headers are kept for their pixels up to this; the rest is asked for again.
KEPT_BYTES = 64 << 20
OBJECT_BYTES = 2 << 30
#: The fields that the standard defines, PS3.18 section 9.1.2. Others, a token perhaps, stay out of addresses.
FIELDS = frozenset({"requestType", "studyUID", "seriesUID", "objectUID", "contentType", "transferSyntax"})


class WadoUriSource:
    """`wadouri:https://host/wado?requestType=WADO&...&objectUID=...`, with `&frame=N` for one frame, from 1."""

    def __init__(self, image_ids: list[str], options: FetchOptions) -> None:
        #: Per object: the request without `frame`, and the frames wanted (none: all), from 0.
        self._objects: dict[str, set[int]] = {}
        basic = None
        for image_id in image_ids:
            url, basic = without_user(image_id.partition(":")[2])
            fields = urlsplit(url).query.split("&")
            frame = [field for field in fields if field.startswith("frame=")]
            if not parse_qs(urlsplit(url).query).get("objectUID"):
                raise UsageError("not the imageId of an object (no objectUID)", address=redacted(url))
            rest = "&".join(field for field in fields if field not in frame)
            number = frame[0].partition("=")[2] if frame else ""
            if frame and not (number.isdecimal() and int(number) > 0):
                raise UsageError("frames are counted from 1", address=redacted(url))
            wanted = self._objects.setdefault(urlsplit(url)._replace(query=rest).geturl(), set())
            wanted.update({int(number) - 1} if frame else ())
        if len({origin(url) for url in self._objects}) > 1:
            raise UsageError("one source is on one server")
        self.address = redacted(next(iter(self._objects)))
        self.skipped: list[tuple[str, str]] = []
        self.connections, self.host, self.at_once = options.connections, origin(next(iter(self._objects))), False
        self._http = Http(options, basic=basic)
        requests = [(urlsplit(url)._replace(query=""), without_secrets(urlsplit(url).query)) for url in self._objects]
        names = (f"{url.geturl()}?{query}" for url, query in requests)
        self.identity = ("wadouri", *names, repr([*self._objects.values()]))
        #: Of each object, in order; None until somebody wants to know.
        self.stamp: list[Stamp] | None = None
        #: Which request brings an instance.
        self._urls: dict[str, str] = {}
        self._kept = 0

    async def is_unchanged(self, stamp: Any) -> bool:
        """Asked of each object; one about which the server gives no validator is fetched and compared."""
        self.stamp = []
        if not stamp:
            return False

        async def ask(url: str, since: Stamp) -> bool:
            witness = Witness(since)
            await self._object(url, witness)
            return witness.knows_all

        asking = [partial(ask, *each) for each in zip(self._objects, stamp, strict=True)]
        return all(await all_of(asking, self.connections))

    async def records(self) -> list[FrameRecord]:
        self._urls.clear()
        self._kept = 0
        witnesses = [None if self.stamp is None else Witness() for _ in self._objects]

        async def read(url: str, witness: Witness | None) -> list[FrameRecord]:
            return self._keep(url, await self._object(url, witness))

        reading = [partial(read, *each) for each in zip(self._objects, witnesses, strict=True)]
        found = [record for records in await all_of(reading, self.connections) for record in records]
        self.stamp = [witness.stamp for witness in witnesses if witness is not None] or None
        if not found:
            raise SourceError("none of the objects holds pixel data", address=self.address)
        return found

    @property
    def link(self) -> Link:
        return self._http.link

    def batch_size(self, record: FrameRecord) -> int:
        return record.frames

    async def fetch(self, wants: Sequence[Want], put: Put) -> Sequence[Want]:
        try:
            payloads = payloads_of(await self._object(self._urls[wants[0].record.uid]))
        except VolstreamError as error:
            for want in wants:
                await put(want, copy(error).located(uid=want.record.uid, address=self.address))
            return ()
        for want in wants:
            gone = SourceError("the object has this frame no longer", uid=want.record.uid, address=self.address)
            await put(want, payloads.get(want.record.frame, gone))
        return ()

    async def close(self) -> None:
        await self._http.close()

    async def _object(self, url: str, witness: Witness | None = None) -> list[FrameRecord]:
        """The records of an object; none if it is what the witness knows."""

        async def read(answer: Answer) -> tuple[Answer, bytearray]:
            if answer.status == 304:
                return answer, bytearray()
            if answer.media_type.name.startswith(("text/", "image/", "multipart/")):
                text = printable(await answer.beginning(), 120) if answer.media_type.name.startswith("text/") else ""
                raise ProtocolError(f"the server sends {answer.media_type.name} instead of a DICOM object: {text}")
            return answer, await answer.body()

        def conditions() -> dict[str, str]:
            return witness.conditions if witness else {}

        accept, limits = "application/dicom, */*;q=0.5", Limits(OBJECT_BYTES)
        answer, body = await self._http.get(url, read, accept=accept, headers=conditions, limits=limits)
        if witness and witness.knows(answer, body):
            return []
        query = parse_qs(urlsplit(url).query)
        try:
            records = read_records(memoryview(body), address=redacted(url))
        except NotDicomError as error:
            raise ProtocolError("the server sends something else than a DICOM object", address=redacted(url)) from error
        for record in records[:1]:
            if record.uid != query["objectUID"][0]:
                raise DamagedError(f"the server sent another instance: {record.uid}", address=redacted(url))
        if witness:
            witness.see(answer, body)
        return [replace(record, address=_image_id(url, record)) for record in records]

    def _keep(self, url: str, records: list[FrameRecord]) -> list[FrameRecord]:
        """The wanted frames of an object; beyond what may be kept, without their data."""
        wanted = self._objects[url]
        kept = [record for record in records if not wanted or record.frame in wanted]
        if not kept:
            if records:
                raise SourceError("the object has no such frame", uid=records[0].uid, address=redacted(url))
            self.skipped.append((redacted(url), "holds no pixel data"))
            return []
        self._urls[kept[0].uid] = url
        size = sum(
            len(record.location) for record in kept if isinstance(record.location, (bytes, bytearray, memoryview))
        )
        if self._kept + size <= KEPT_BYTES:
            self._kept += size
            return kept
        return [replace(record, location=None) for record in kept]


def _image_id(url: str, record: FrameRecord) -> str:
    fields = [field for field in urlsplit(url).query.split("&") if field.partition("=")[0] in FIELDS]
    fields += [f"frame={record.frame + 1}"] if record.frames > 1 else []
    return f"wadouri:{redacted(url)}?{'&'.join(fields)}"
