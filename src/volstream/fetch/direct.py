"""The short way to a whole body: HTTP/1.1 over a connection that receives it where it stays.

aiohttp takes each body through its parser and a queue; for uncompressed frames that is half of what receiving costs.
Here the usual answer is understood alone: plain http, a Content-Length, nothing coded for the way (RFC 9112). Whatever
is not exactly so is `UnusualError`, and aiohttp's.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

import aiohappyeyeballs
from aiohttp.http import SERVER_SOFTWARE
from multidict import CIMultiDict

from volstream import _native
from volstream.errors import ProtocolError, TruncatedError
from volstream.fetch.answer import MIN_RATE, RATE_WINDOW, too_slow
from volstream.fetch.options import FetchOptions
from volstream.fetch.retry import TransientError

#: Bytes of a head at most. What comes of the body with it is copied, once.
HEAD = 64 << 10
#: A connection that nobody used for so many seconds is closed.
IDLE = 15.0

_STATUS = re.compile(rb"HTTP/1\.1 ([2-5][0-9]{2})(?: ([^\r\n]*))?")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\x00]*)")


class UnusualError(Exception):
    """An answer, or a request, that is not for here."""


@dataclass(frozen=True, slots=True)
class Received:
    """An answer that is all here."""

    status: int
    reason: str
    headers: CIMultiDict[str]
    #: When its head was here.
    began: float
    body: bytearray


class DirectClient:
    """Connections to the hosts of one source, kept for the next request."""

    def __init__(self, options: FetchOptions) -> None:
        self._options = options
        self._gate = asyncio.Semaphore(options.connections)
        self._idle: dict[str, list[_Connection]] = {}
        self._closed = False

    async def get(self, url: str, headers: Mapping[str, str], most: int) -> Received:
        """GET `url`; a body of more than `most` bytes is refused unread.

        Raises UnusualError, ProtocolError, TransientError and OSError.
        """
        request, netloc = request_of(url, headers)
        async with self._gate:
            idle = self._idle.setdefault(netloc, [])
            while idle:
                connection = idle.pop()
                if connection.is_open:
                    try:
                        return await self._exchange(connection, request, most, idle)
                    except _StaleError:  # closed by the server just as the request was sent
                        continue
            return await self._exchange(await self._connect(netloc), request, most, idle)

    async def _exchange(self, connection: _Connection, request: bytes, most: int, idle: list[_Connection]) -> Received:
        received = await connection.exchange(request, most)
        if self._closed:
            connection.abort()
        elif connection.is_open:
            idle.append(connection)
        return received

    async def _connect(self, netloc: str) -> _Connection:
        parts = urlsplit(f"//{netloc}")
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._options.connect_timeout):
            places = await loop.getaddrinfo(parts.hostname, parts.port or 80, type=socket.SOCK_STREAM)
            # As aiohttp does it: the loop's own way to try several addresses may lose a socket when it is cancelled.
            there = await aiohappyeyeballs.start_connection(places, happy_eyeballs_delay=0.25, loop=loop)
            try:
                _, connection = await loop.create_connection(
                    lambda: _Connection(loop, self._options.stall_timeout), sock=there
                )
            except BaseException:
                there.close()
                raise
        return connection

    async def close(self) -> None:
        """Requests under way end as they would, and their connections with them."""
        self._closed = True
        for idle in self._idle.values():
            for connection in idle:
                connection.abort()
        self._idle.clear()
        await asyncio.sleep(0)  # sockets are closed in the loop's next turn


def request_of(url: str, headers: Mapping[str, str]) -> tuple[bytes, str]:
    """The bytes to send, and host and port. Raises UnusualError for what needs more care."""
    scheme, _, rest = url.partition("://")
    netloc, slash, target = rest.partition("#")[0].partition("/")
    fields = CIMultiDict({"Host": netloc, "User-Agent": SERVER_SOFTWARE})
    fields.update(headers)
    text = f"GET /{target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"
    # One line a field, none of them split or joined; and a target that needs no quoting.
    is_plain = text.isascii() and text.count("\n") == text.count("\r") == len(fields) + 2 and "\0" not in text
    if scheme != "http" or not slash or "@" in netloc or not is_plain or not re.fullmatch(r"[!-~]+", netloc + target):
        raise UnusualError
    return text.encode(), netloc


class _StaleError(Exception):
    """The connection was closed before the answer began, and had been used before."""


class _Connection(asyncio.BufferedProtocol):
    """One request after the other."""

    def __init__(self, loop: asyncio.AbstractEventLoop, stall: float) -> None:
        self._loop, self._stall = loop, stall
        self._head = bytearray(HEAD)
        self._room = memoryview(self._head)
        self._filled = 0
        self._answer: Received | None = None
        self._done: asyncio.Future[Received] | None = None
        self._is_used = self._keep = False
        self._most = 0
        self._began = self._last = loop.time()
        self._received = 0
        self.is_open = False

    async def exchange(self, request: bytes, most: int) -> Received:
        self._done = self._loop.create_future()
        self._most, self._received = most, 0
        self._began = self._last = self._loop.time()
        self._transport.write(request)
        try:
            return await self._done
        except BaseException:
            self.abort()
            raise
        finally:
            self._done = None

    def abort(self) -> None:
        self.is_open = False
        self._timer.cancel()
        self._transport.abort()

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.is_open = True
        self._timer = self._loop.call_later(min(self._stall, IDLE), self._watch)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._room[self._filled :]

    def buffer_updated(self, count: int) -> None:
        if self._done is None or self._done.done():  # nobody asked
            self.abort()
            return
        self._filled += count
        self._received += count
        self._last = self._loop.time()
        try:
            if self._answer is None:
                self._look_for_head()
            if self._answer is not None and self._filled == len(self._answer.body):
                self._finish(self._answer)
        except (UnusualError, ProtocolError) as error:
            self._fail(error)
            self.abort()

    def eof_received(self) -> None:
        return None  # and so the transport closes itself

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        self._timer.cancel()
        if self._answer is not None or self._filled:
            self._fail(TransientError(TruncatedError("the answer breaks off: the connection was closed")))
        elif self._is_used:
            self._fail(_StaleError())
        else:
            self._fail(error or ConnectionResetError("closed by the server"))

    def _look_for_head(self) -> None:
        end = self._head.find(b"\r\n\r\n", 0, self._filled)
        if end < 0:
            if self._filled == HEAD:
                raise UnusualError
            return
        status, reason, headers, size, self._keep = parse_head(bytes(self._head[:end]))
        if status < 300 and size > self._most:
            raise ProtocolError(f"the answer has {size} bytes or more, at most {self._most} are expected")
        if status >= 300 and size > HEAD:
            raise UnusualError  # an error page of which only the beginning is of use
        answer = Received(status, reason, headers, self._loop.time(), _native.room(size))
        rest = self._filled - (end + 4)
        if rest > size:
            raise ProtocolError("more bytes than the answer has")
        answer.body[:rest] = memoryview(self._head)[end + 4 : self._filled]
        self._room, self._filled, self._answer = memoryview(answer.body), rest, answer

    def _finish(self, answer: Received) -> None:
        self._is_used = True
        self._room, self._filled, self._answer = memoryview(self._head), 0, None
        self._last = self._loop.time()
        assert self._done is not None
        self._done.set_result(answer)
        if not self._keep:
            self.abort()

    def _fail(self, error: Exception) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(error)

    def _watch(self) -> None:
        """Looks now and then whether something has come."""
        now, busy = self._loop.time(), self._done is not None
        left = self._last + (self._stall if busy else IDLE) - now
        if left > 0:
            if busy and now - self._began > RATE_WINDOW and self._received < MIN_RATE * (now - self._began):
                self._fail(TransientError(too_slow(self._received / (now - self._began))))
            self._timer = self._loop.call_later(min(left, self._stall, IDLE), self._watch)
        elif busy:
            self._fail(TimeoutError())
        else:
            self.abort()


def parse_head(head: bytes) -> tuple[int, str, CIMultiDict[str], int, bool]:
    """Status, reason, fields, length of the body, and whether the connection stays open, of the lines before it."""
    first, *lines = head.split(b"\r\n")
    status = _STATUS.fullmatch(first)
    if status is None:
        raise UnusualError
    headers: CIMultiDict[str] = CIMultiDict()
    for line in lines:
        field = _FIELD.fullmatch(line)
        if field is None:
            raise UnusualError
        headers.add(field[1].decode(), field[2].rstrip(b" \t").decode("utf-8", "surrogateescape"))
    code, lengths = int(status[1]), headers.getall("Content-Length", [])
    if code in (204, 304):
        lengths = ["0"]
    if "Transfer-Encoding" in headers or len(lengths) != 1 or not re.fullmatch("[0-9]{1,18}", lengths[0]):
        raise UnusualError
    keep = "close" not in headers.get("Connection", "").lower()
    return code, (status[2] or b"").decode("utf-8", "replace"), headers, int(lengths[0]), keep
