"""Frames over WADO-RS piece by piece: first as much as a preview needs, the rest later."""

from __future__ import annotations

import logging
from collections.abc import Container
from functools import partial

from volstream import _native
from volstream.errors import HttpStatusError, ProtocolError
from volstream.fetch.answer import Answer
from volstream.fetch.bodies import check_kind, frame_of, limits_of, read_frame
from volstream.fetch.frames import FrameClient, url_of
from volstream.fetch.http import Http
from volstream.fetch.negotiation import NEGOTIABLE, Server, Way, syntax_of
from volstream.fetch.partial_body import PartialBody
from volstream.fetch.source import Partial, Want
from volstream.records import FrameRecord, Payload

log = logging.getLogger(__name__)

#: Requests for one want: a server may send less than it was asked for, but not a byte at a time.
MOST_REQUESTS = 16
#: What may be meant for the Range of a request, not for how it asks otherwise.
RANGE_REFUSALS = frozenset({400, 416, 500, 501})


class RangeClient:
    """Frames of which not all is wanted now, or some is here already."""

    def __init__(self, http: Http, frames: FrameClient) -> None:
        self._http = http
        self._frames = frames

    def serves(self, want: Want) -> bool:
        """Whether to ask for a range of bytes: for a piece of a frame, of a server that is not known to ignore that."""
        return (want.size is not None or want.held is not None) and self._frames.server.ranges

    async def get(self, want: Want) -> Payload | Partial:
        """What is wanted, or more of it: the whole frame if the server does not do otherwise. Raises as `Http.get`."""
        return await self._frames.negotiate(partial(self._ask, want))

    async def _ask(self, want: Want, way: Way, final: Container[int]) -> Payload | Partial:
        if way.whole or not self.serves(want):
            return await self._frames.ask(want.record, way, final)
        server = self._frames.server
        try:
            return await self._assemble(want, way, server)
        except ProtocolError as error:
            reason = error.message
        except HttpStatusError as error:
            if error.status not in RANGE_REFUSALS:
                raise
            reason = error.message
        whole = await self._frames.ask(want.record, way, final)
        # It was the ranges, then, and not the frame.
        server.ranges = False
        log.info("frames come whole from now on, since a range of bytes could not be used: %s", reason)
        return whole

    async def _assemble(self, want: Want, way: Way, server: Server) -> Payload | Partial:
        body: PartialBody = PartialBody() if want.held is None else want.held.resume.copy()
        for _ in range(MOST_REQUESTS):
            if want.size is not None and (head := body.head()):
                server.head = max(server.head, head.size + 64)  # other frames have longer numbers in it
            if body.is_complete():
                return frame_of(want.record, body.kind, body.chunks)
            if want.size is not None and (found := _beginning(want.record, body, want.size)):
                return found
            before, stop = body.size, self._stop(want.size, body, server)
            whole = await self._request(want.record, way, server, body, stop)
            if whole is not None:
                return whole
            if body.size == before:
                raise ProtocolError("nothing new in the answer")
        raise ProtocolError(f"not even {MOST_REQUESTS} answers bring what is wanted")

    def _stop(self, size: int | None, body: PartialBody, server: Server) -> int | None:
        """Where in the body to stop for `size` bytes of the codestream; None: at its end."""
        if size is None:
            return None
        if not body.size:
            return server.head + size
        if head := body.head():
            stop = head.size + size
            return stop if stop > body.size else None  # what is here cannot be used without the rest
        return 2 * body.size + size if body.may_begin_later() else None

    async def _request(
        self, record: FrameRecord, way: Way, server: Server, body: PartialBody, stop: int | None
    ) -> Payload | None:
        """Adds what comes to `body`; returns the frame if the answer is all of it."""

        async def read(answer: Answer) -> Payload | None:
            if answer.status == 206:
                await check_kind(answer)
                await body.take(answer)
                return None
            payload = await read_frame(answer, record)
            if stop is None or answer.received > stop:
                server.ranges = False
            return payload

        return await self._http.get(
            url_of(record) + self._frames.query,
            read,
            accept=way.accept,
            headers=lambda: body.request(stop),
            limits=limits_of([record]),
            final=NEGOTIABLE,
        )


def _beginning(record: FrameRecord, body: PartialBody, size: int) -> Partial | None:
    """`size` bytes of the codestream, if they are here and can be used without the rest."""
    head = body.head()
    found = body.data(head) if head else None
    if head is None or found is None:
        return None
    data, total = found
    if len(data) < size or len(data) == total or _native.probe(data) is None:
        return None
    return Partial(data, syntax_of(record, [data], head.media_type, body.kind), total, body)
