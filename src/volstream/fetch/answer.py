"""One HTTP answer while it is read: limits, framing, content coding."""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import aiohttp

from volstream._native import MultipartParser
from volstream.errors import ProtocolError, SourceError, TruncatedError, UnreachableError
from volstream.fetch.mediatype import boundary_of, parse_media_type
from volstream.fetch.retry import Clock, TransientError

if TYPE_CHECKING:
    from volstream.fetch.direct import Received

#: So much is read ahead; more than a frame, so that the loop wakes up rarely.
READ_BUFFER = 2 << 20
#: A body that comes slower than this, over this long, counts as stalled: bytes a second, seconds.
MIN_RATE, RATE_WINDOW = 1024, 30.0
#: How much more than its size on the wire a compressed body may become, once it is large.
INFLATE_RATIO, INFLATE_FREE = 200, 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one answer, in bytes; `part` of one part (0: as the whole), `parts` how many of them."""

    body: int
    part: int = 0
    parts: int = 1
    #: What one part will probably have.
    expected: int = 0


class Answer:
    """A successful response; where its body is, or comes from, the two kinds of it know."""

    def __init__(
        self, status: int, reason: str, headers: Mapping[str, str], size: int | None, limits: Limits, clock: Clock
    ) -> None:
        self.status, self.reason, self.headers = status, reason, headers
        self.limits = limits
        self.clock = clock
        #: When the request was sent, when the answer began, how many bytes of its body have come over the wire.
        self.sent, self.began, self.received = 0.0, clock.now(), 0
        self.media_type = parse_media_type(headers.get("Content-Type", ""))
        self.size = size
        #: Whether HTTP tells where the body ends. If not, a lost connection looks like the end.
        self.framed = self.size is not None or "chunked" in headers.get("Transfer-Encoding", "").lower()

    def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes over the wire."""
        raise NotImplementedError

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes, decoded if it is gzipped, within the limits."""
        self.check_size(self.size or 0)
        coding = self.headers.get("Content-Encoding", "identity").strip().lower()
        if coding in ("gzip", "x-gzip"):
            inflate: _Inflate | None = _Inflate(self.limits.body)
        elif coding in ("identity", ""):
            inflate = None
        else:
            raise ProtocolError(f"the answer comes in Content-Encoding {coding[:40]!r}, which was not asked for")
        async for chunk in self.pieces():
            self.received += len(chunk)
            self.check_size(self.received)
            if inflate is None:
                yield chunk
            else:
                for piece in inflate.feed(chunk):
                    yield piece
        if inflate is not None:
            inflate.finish()

    async def all_chunks(self) -> list[bytes]:
        """The whole body, in the pieces that it came in."""
        return [chunk async for chunk in self.chunks()]

    async def body(self, size: int | None = None) -> bytearray:
        """The whole body as one piece. Without framing it must have `size` bytes, or nothing tells that it is whole."""
        body = bytearray()
        async for chunk in self.chunks():
            body += chunk
        if not body:
            raise TruncatedError("the answer is empty")
        if not self.framed and size != len(body):
            raise TruncatedError(f"nothing tells that {len(body)} bytes are the whole answer")
        return body

    async def parts(self) -> AsyncIterator[tuple[dict[str, str], memoryview]]:
        """The parts of a multipart body, each as soon as it is complete."""
        limits = self.limits
        limit = limits.part or limits.body
        parser = MultipartParser(
            boundary_of(self.media_type),
            part_limit=limit,
            parts_limit=limits.parts,
            # One part cannot be longer than the body, and is hardly shorter.
            reserve=min(limit, self.size if self.size and limits.parts == 1 else limits.expected),
        )
        async for chunk in self.chunks():
            for part in parser.feed(chunk):
                yield part
        parser.finish()

    async def beginning(self) -> str:
        """Some of the text of an error page; never fails."""
        body = b""
        try:
            async for chunk in self.chunks():
                body += chunk
                if len(body) >= 1024:
                    break
        except (aiohttp.ClientError, TimeoutError, OSError, ProtocolError, SourceError, TransientError):
            pass
        return body[:1024].decode("utf-8", "replace")

    def check_size(self, size: int) -> None:
        """Raises ProtocolError for more than may be in the body."""
        if size > self.limits.body:
            raise ProtocolError(f"the answer has {size} bytes or more, at most {self.limits.body} are expected")


class StreamedAnswer(Answer):
    """Its body is read from aiohttp while it comes."""

    def __init__(self, response: aiohttp.ClientResponse, limits: Limits, clock: Clock) -> None:
        reason, size = response.reason or "", response.content_length
        super().__init__(response.status, reason, response.headers, size, limits, clock)
        self._content = response.content

    async def pieces(self) -> AsyncIterator[bytes]:
        slow_bytes = 0
        slow_time = 0.0
        read, now = self._content.readany, self.clock.now
        while True:
            start = now()
            chunk = await read()
            if not chunk:
                return
            slow_time += now() - start
            slow_bytes += len(chunk)
            if slow_time > RATE_WINDOW:
                if slow_bytes < MIN_RATE * slow_time:
                    raise TransientError(too_slow(slow_bytes / slow_time))
                slow_bytes, slow_time = 0, 0.0
            yield chunk

    async def all_chunks(self) -> list[bytes]:
        if self.size is None or self.size > READ_BUFFER or "Content-Encoding" in self.headers:
            return await super().all_chunks()
        self.check_size(self.size)
        # It fits into what is read ahead: one wake-up, where each piece would have one, through all who wait for it.
        content = self._content
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RATE_WINDOW):
                await content.wait_eof()
        pieces = [] if content.is_eof() else await super().all_chunks()  # slow: look how slow
        while not content.at_eof():
            pieces.append((await content.readchunk())[0])
            self.received += len(pieces[-1])
        return pieces


class ReceivedAnswer(Answer):
    """Its body is here already."""

    def __init__(self, received: Received, limits: Limits, clock: Clock) -> None:
        body = received.body
        super().__init__(received.status, received.reason, received.headers, len(body), limits, clock)
        self.began = received.began
        self._body = body

    async def pieces(self) -> AsyncIterator[bytes]:
        if self._body:
            yield cast(bytes, self._body)  # it can all that is asked of one


def too_slow(rate: float) -> UnreachableError:
    return UnreachableError(f"the server sends only {rate:.0f} bytes a second")


class _Inflate:
    """gzip, bounded: a small body must not become a huge one."""

    def __init__(self, limit: int) -> None:
        self._stream = zlib.decompressobj(wbits=31)
        self._limit = limit
        self._read = self._written = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        pieces = []
        self._read += len(chunk)
        try:
            while chunk:
                piece = self._stream.decompress(chunk, 1 << 20)
                self._written += len(piece)
                if self._written > self._limit or self._written > INFLATE_FREE + INFLATE_RATIO * self._read:
                    raise ProtocolError(f"{self._read} compressed bytes become more than {self._written}; refused")
                pieces.append(piece)
                chunk = self._stream.unconsumed_tail
        except zlib.error as error:
            raise ProtocolError(f"the gzip coding is broken: {error}") from error
        return pieces

    def finish(self) -> None:
        if not self._stream.eof:
            raise TruncatedError("the gzip coding ends early")
