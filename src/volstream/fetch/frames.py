"""Frames over WADO-RS (PS3.18 section 10.4.1.1.6): one, or several of an instance, in the manner the server likes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Container
from functools import partial
from typing import TypeAlias, TypeVar

from volstream.errors import (
    DamagedError,
    HttpStatusError,
    ProtocolError,
    SourceError,
    TruncatedError,
    VolstreamError,
)
from volstream.fetch.answer import Answer, Limits
from volstream.fetch.bodies import is_raw, limits_of, read_frame, read_frames
from volstream.fetch.http import Http
from volstream.fetch.negotiation import NEGOTIABLE, WAYS, Server, Way
from volstream.headers.part10 import read_records
from volstream.records import FrameRecord, Payload

#: A request for several frames asks for so many bytes and frames at most.
BATCH_BYTES, BATCH_FRAMES = 4 << 20, 64
#: Room for the header of an instance.
HEADER = 16 << 20

T = TypeVar("T")
#: Asks for something in one manner; the statuses in the second argument are not asked about again.
Ask: TypeAlias = Callable[[Way, Container[int]], Awaitable[T]]


class FrameClient:
    """Fetches frames of the series of one source. `query` goes along with every request and into no message."""

    def __init__(self, http: Http, query: str = "") -> None:
        self._http = http
        self.query = f"?{query}" if query else ""
        #: What is known of the server: a source has one.
        self.server = Server()
        #: The instance that was fetched as a whole last, for servers that know no frames.
        self._instance: tuple[str, asyncio.Task[dict[int, Payload]]] | None = None

    def batch_size(self, record: FrameRecord) -> int:
        """How many frames to ask for at once: servers are slow to take single ones out of a large instance."""
        server = self.server
        if record.frames == 1 or server.way is None or not server.batches:
            return 1
        return max(1, min(BATCH_FRAMES, BATCH_BYTES // max(1, record.pixel.frame_bytes)))

    async def one(self, record: FrameRecord) -> Payload:
        """One frame. Raises as `Http.get` does."""
        return await self.negotiate(partial(self.ask, record))

    async def negotiate(self, ask: Ask[T]) -> T:
        """What `ask` brings in the manner that the server likes; found out with it if that is not known."""
        server = self.server
        if server.way is None:
            # The first request finds out alone: a storm of refused requests helps nobody.
            async with server.lock:
                if server.way is None:
                    return await self._try_ways(ask)
        try:
            return await ask(server.way, ())
        except HttpStatusError as error:
            if error.status not in NEGOTIABLE or error.status == 500:
                raise
        return await self._try_ways(ask)

    async def several(self, records: list[FrameRecord]) -> list[Payload] | None:
        """Frames of one instance, in the order of `records`; None if the server does not serve them together."""
        server = self.server
        if server.way is None or server.way.whole:
            return None
        ordered = sorted(records, key=lambda record: record.frame)
        numbers = ",".join(str(record.frame + 1) for record in ordered)
        url = re.sub(r"/frames/\d+$", f"/frames/{numbers}", url_of(records[0])) + self.query

        async def read(answer: Answer) -> list[Payload]:
            return await read_frames(answer, ordered)

        try:
            payloads = await self._http.get(url, read, accept=server.way.accept, limits=limits_of(ordered))
        except (HttpStatusError, ProtocolError):
            server.batches = False
            return None
        by_frame = {record.frame: payload for record, payload in zip(ordered, payloads, strict=True)}
        return [by_frame[record.frame] for record in records]

    async def _try_ways(self, ask: Ask[T]) -> T:
        server = self.server
        refusals: list[HttpStatusError] = []
        for way in WAYS:
            if way == server.way:
                continue
            try:
                found = await ask(way, NEGOTIABLE)
            except HttpStatusError as error:
                refusals.append(error)
                if error.status not in NEGOTIABLE:
                    raise
            else:
                server.way = server.way or way
                return found
        if refusals[0].status == 500:
            return await ask(WAYS[0], ())  # not the manner of asking, then; it may pass
        raise refusals[0]

    async def ask(self, record: FrameRecord, way: Way, final: Container[int] = ()) -> Payload:
        """One frame, asked for in this manner; statuses in `final` are not asked about again."""
        if way.whole:
            return await self._take_out(record, way, final)

        async def read(answer: Answer) -> Payload:
            return await read_frame(answer, record)

        url = url_of(record) + self.query
        limits = limits_of([record])
        return await self._http.get(url, read, accept=way.accept, limits=limits, final=final, whole=True)

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

        url = re.sub(r"/frames/\d+$", "", url_of(record)) + self.query
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
    raw = is_raw(frame.transfer_syntax) and frame.pixel.bits_allocated > 1
    return frame.pixel.frame_bytes if raw else 1


def url_of(record: FrameRecord) -> str:
    return record.address.removeprefix("wadors:")
