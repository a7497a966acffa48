"""Frames over WADO-RS (PS3.18 section 10.4.1.1.6): one, or several of an instance, in the manner the server likes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Container

from volstream.errors import (
    DamagedError,
    HttpStatusError,
    ProtocolError,
    SourceError,
    TruncatedError,
    VolstreamError,
)
from volstream.fetch.address import origin
from volstream.fetch.answer import Answer, Limits
from volstream.fetch.http import Http, printable
from volstream.fetch.mediatype import boundary_of, parse_media_type
from volstream.fetch.negotiation import NEGOTIABLE, WAYS, Server, Way, label_of, syntax_of
from volstream.fetch.only_part import only_part
from volstream.headers.part10 import read_records
from volstream.records import FrameRecord, Payload
from volstream.syntaxes import SYNTAXES

#: A request for several frames asks for so many bytes and frames at most.
BATCH_BYTES, BATCH_FRAMES = 4 << 20, 64
#: Room for multipart framing, and for the header of an instance.
FRAMING, HEADER = 64 << 10, 16 << 20


class FrameClient:
    """Fetches frames of the series of one source. `query` goes along with every request and into no message."""

    def __init__(self, http: Http, query: str = "") -> None:
        self._http = http
        self._query = f"?{query}" if query else ""
        self._servers: dict[str, Server] = {}
        #: The instance that was fetched as a whole last, for servers that know no frames.
        self._instance: tuple[str, asyncio.Task[dict[int, Payload]]] | None = None

    def batch_size(self, record: FrameRecord) -> int:
        """How many frames to ask for at once: servers are slow to take single ones out of a large instance."""
        server = self._server(record)
        if record.frames == 1 or server.way is None or not server.batches:
            return 1
        return max(1, min(BATCH_FRAMES, BATCH_BYTES // max(1, record.pixel.frame_bytes)))

    async def one(self, record: FrameRecord) -> Payload:
        """One frame. Raises as `Http.get` does."""
        server = self._server(record)
        if server.way is None:
            # The first request finds out alone: a storm of refused requests helps nobody.
            async with server.lock:
                if server.way is None:
                    return await self._try_ways(record, server)
        try:
            return await self._ask(record, server.way)
        except HttpStatusError as error:
            if error.status not in NEGOTIABLE or error.status == 500:
                raise
        return await self._try_ways(record, server)

    async def several(self, records: list[FrameRecord]) -> list[Payload] | None:
        """Frames of one instance, in the order of `records`; None if the server does not serve them together."""
        server = self._server(records[0])
        if server.way is None or server.way.whole:
            return None
        ordered = sorted(records, key=lambda record: record.frame)
        numbers = ",".join(str(record.frame + 1) for record in ordered)
        url = re.sub(r"/frames/\d+$", f"/frames/{numbers}", url_of(records[0])) + self._query

        async def read(answer: Answer) -> list[Payload]:
            return await _read_frames(answer, ordered)

        try:
            payloads = await self._http.get(url, read, accept=server.way.accept, limits=_limits(ordered))
        except (HttpStatusError, ProtocolError):
            server.batches = False
            return None
        by_frame = {record.frame: payload for record, payload in zip(ordered, payloads, strict=True)}
        return [by_frame[record.frame] for record in records]

    def _server(self, record: FrameRecord) -> Server:
        return self._servers.setdefault(origin(url_of(record)), Server())

    async def _try_ways(self, record: FrameRecord, server: Server) -> Payload:
        refusals: list[HttpStatusError] = []
        for way in WAYS:
            if way == server.way:
                continue
            try:
                payload = await self._ask(record, way, final=NEGOTIABLE)
            except HttpStatusError as error:
                refusals.append(error)
                if error.status not in NEGOTIABLE:
                    raise
            else:
                server.way = server.way or way
                return payload
        if refusals[0].status == 500:
            return await self._ask(record, WAYS[0])  # not the manner of asking, then; it may pass
        raise refusals[0]

    async def _ask(self, record: FrameRecord, way: Way, final: Container[int] = ()) -> Payload:
        if way.whole:
            return await self._take_out(record, way, final)

        async def read(answer: Answer) -> Payload:
            return (await _read_frames(answer, [record]))[0]

        url = url_of(record) + self._query
        return await self._http.get(url, read, accept=way.accept, limits=_limits([record]), final=final)

    async def _take_out(self, record: FrameRecord, way: Way, final: Container[int]) -> Payload:
        """The frame out of its instance, which is fetched once for all who wait for frames of it."""
        if self._instance is None or self._instance[0] != record.uid:
            self._instance = record.uid, asyncio.create_task(self._whole(record, way, final))
        task = self._instance[1]
        try:
            payload = (await asyncio.shield(task)).get(record.frame)
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise
        except VolstreamError:
            self._instance = None
            raise
        if payload is None:
            raise SourceError(f"the instance has no frame {record.frame + 1}")
        return payload

    async def _whole(self, record: FrameRecord, way: Way, final: Container[int]) -> dict[int, Payload]:
        async def read(answer: Answer) -> dict[int, Payload]:
            if not answer.media_type.name.startswith("multipart/"):
                body = memoryview(await answer.body())
            else:
                parts = [part async for _, part in answer.parts()]
                if not parts:
                    raise TruncatedError("an answer without parts")
                body = parts[0]
            found = read_records(body, address=record.address)
            if not found or found[0].uid != record.uid:
                raise DamagedError(f"the server sent another instance: {found[0].uid if found else 'no image'}")
            return payloads_of(found)

        url = re.sub(r"/frames/\d+$", "", url_of(record)) + self._query
        size = HEADER + 2 * record.frames * record.pixel.frame_bytes
        return await self._http.get(url, read, accept=way.accept, limits=Limits(size), final=final, bulk=True)


def payloads_of(instance: list[FrameRecord]) -> dict[int, Payload]:
    """The frames of an instance in memory, by number from 0. Raises TruncatedError if one is not all there."""
    payloads = {}
    for frame in instance:
        data = frame.location
        if not isinstance(data, (bytes, bytearray, memoryview)) or len(data) < _least(frame):
            raise TruncatedError("the instance ends before its pixel data do", uid=frame.uid)
        payloads[frame.frame] = Payload(data, frame.transfer_syntax)
    return payloads


def _least(frame: FrameRecord) -> int:
    """Bytes that a frame has at least; packed bits do not end at bytes."""
    raw = _is_raw(frame.transfer_syntax) and frame.pixel.bits_allocated > 1
    return frame.pixel.frame_bytes if raw else 1


def _is_raw(transfer_syntax: str) -> bool:
    syntax = SYNTAXES.get(transfer_syntax)
    return syntax is not None and syntax.codec.startswith("raw") and not syntax.encapsulated


def url_of(record: FrameRecord) -> str:
    return record.address.removeprefix("wadors:")


def _limits(records: list[FrameRecord]) -> Limits:
    size = records[0].pixel.frame_bytes
    # What is stored uncompressed has its exact size (and some room to notice a missing boundary); what may be
    # compressed can be larger than its pixels.
    part = size + 256 if _is_raw(records[0].transfer_syntax) else 2 * size + (1 << 20)
    count = len(records)
    return Limits(count * part + FRAMING + 1024 * count, part=part, parts=count, expected=size)


async def _read_frames(answer: Answer, records: list[FrameRecord]) -> list[Payload]:
    """The frames that were asked for, in that order."""
    kind = answer.media_type.name
    if not kind.startswith("multipart/"):
        if kind.startswith("text/") or kind.endswith(("html", "json", "xml")):
            text = printable(await answer.beginning(), 120)
            raise ProtocolError(f"the server sends {kind} instead of a frame: {text}")
        if len(records) > 1:
            raise ProtocolError(f"the server sends one {kind or 'body'} instead of {len(records)} frames")
        body = await answer.body(records[0].pixel.frame_bytes)
        return [Payload(memoryview(body), syntax_of(records[0], body, answer.media_type))]
    chunks: list[bytes] | None = None
    if len(records) == 1 and 0 <= (answer.size or 0) - records[0].pixel.frame_bytes <= FRAMING:
        chunks = await answer.all_chunks()
        found = only_part(chunks, boundary_of(answer.media_type), records[0].pixel.frame_bytes)
        if found is not None:
            syntax, is_raw = label_of(records[0], found[0], answer.media_type)
            if is_raw:
                return [Payload(found[1], syntax)]
    payloads: dict[int, Payload] = {}
    located = True
    async for headers, data in answer.parts(chunks):
        label = parse_media_type(headers.get("content-type", ""))
        if label.name.startswith("multipart/"):
            raise ProtocolError("a multipart body within a multipart body")
        coding = headers.get("content-transfer-encoding", "binary").lower()
        if coding not in ("binary", "8bit", "7bit"):
            raise ProtocolError(f"a part comes in Content-Transfer-Encoding {coding[:40]!r}")
        if not data:
            raise TruncatedError("a part is empty")
        index = len(payloads)
        if len(records) > 1:
            match = re.search(r"/frames/(\d+)/?$", headers.get("content-location", ""))
            numbers = [record.frame + 1 for record in records]
            if match and int(match[1]) in numbers:
                index = numbers.index(int(match[1]))
            else:
                located = False
        if index in payloads:
            raise ProtocolError("a frame is sent twice")
        payloads[index] = Payload(data, syntax_of(records[index], data, label, answer.media_type))
    if len(payloads) != len(records):
        # Not even the ones that came can be used if only their order says which they are.
        raise TruncatedError(f"{len(payloads)} parts for {len(records)} frames" + ("" if located else ", unnamed"))
    return [payloads[index] for index in range(len(records))]
