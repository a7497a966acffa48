"""The short way to a body: the usual answer whatever its pieces, and nothing that is not exactly so."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetching import run
from volstream.errors import ProtocolError, TruncatedError, UnreachableError
from volstream.fetch import direct as module
from volstream.fetch.direct import DirectClient, Received, UnusualError, parse_head, request_of
from volstream.fetch.options import FetchOptions
from volstream.fetch.retry import TransientError

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
BODY = bytes(range(256)) * 300
OK = b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY


@contextlib.asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[str]:
    served: list[asyncio.Task[None]] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await serve(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(lambda *pair: served.append(asyncio.create_task(answer(*pair))), "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/frames/1"
    finally:
        server.close()
        await asyncio.gather(*served)  # the client has gone


def answering(*answers: bytes) -> Serve:
    """One answer a request, on as many connections as it takes; the last of a connection is followed by its end."""
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while left:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(left.pop(0))
            await writer.drain()

    return serve


def fetch(serve: Serve, times: int = 1, most: int = 1 << 20, **options: float) -> list[Received]:
    """What `times` requests bring, one after the other."""

    async def main() -> list[Received]:
        client = DirectClient(FetchOptions(**options))  # type: ignore[arg-type]
        async with serving(serve) as url:
            try:
                return [await client.get(url, {"Accept": "*/*"}, most) for _ in range(times)]
            finally:
                await client.close()

    return run(main)


def test_a_body_is_received_whole() -> None:
    (received,) = fetch(answering(OK))
    assert (received.status, received.reason, received.headers["content-type"]) == (200, "OK", "a/b")
    assert received.body == BODY


@given(st.lists(st.integers(1, len(OK) - 1), max_size=5, unique=True).map(sorted))
def test_whatever_pieces_it_comes_in(cuts: list[int]) -> None:
    async def main() -> None:
        connection = module._Connection(asyncio.get_running_loop(), 30)

        class Transport(asyncio.Transport):
            def write(self, data: object) -> None: ...

            def abort(self) -> None: ...

        connection.connection_made(Transport())
        task = asyncio.create_task(connection.exchange(b"", 1 << 20))
        await asyncio.sleep(0)
        for begin, end in zip([0, *cuts], [*cuts, len(OK)], strict=True):
            left = memoryview(OK)[begin:end]
            while left:
                room = connection.get_buffer(-1)
                count = min(len(room), len(left))
                room[:count] = left[:count]
                connection.buffer_updated(count)
                left = left[count:]
        assert (await task).body == BODY
        connection.abort()

    run(main)


def test_a_connection_serves_again_until_the_server_closes_it() -> None:
    connections = 0
    serve = answering(OK, OK)

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await serve(reader, writer)

    assert [received.body for received in fetch(counted, 2)] == [BODY, BODY]
    assert connections == 1
    closing = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)
    serve = answering(closing, OK)
    fetch(counted, 2)
    assert connections == 3


def test_a_connection_that_was_closed_meanwhile_is_replaced() -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)  # and closes

    assert [received.body for received in fetch(once, 3)] == [BODY] * 3


def test_no_body_where_none_belongs() -> None:
    for status in (204, 304):
        (received,) = fetch(answering(b"HTTP/1.1 %d none\r\nETag: x\r\n\r\n" % status))
        assert (received.status, received.body) == (status, b"")


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.0 200 OK\r\nContent-Length: 3",
        b"HTTP/1.1 100 Continue\r\nContent-Length: 3",
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3",
        b"HTTP/1.1 200 OK\r\nContent-Length: +3",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3, 3",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n folded",
        b"HTTP/1.1 200 OK\r\nContent-Length : 3",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\nX: y",
        b"ICY 200 OK\r\nContent-Length: 3",
    ],
)
def test_unusual_answers_are_left_to_others(head: bytes) -> None:
    with pytest.raises(UnusualError):
        parse_head(head)
    with pytest.raises(UnusualError):
        fetch(answering(head + b"\r\n\r\nabc"))


def test_a_head_without_end_is_left_to_others() -> None:
    with pytest.raises(UnusualError):
        fetch(answering(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 3 * module.HEAD))


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("https://host/path", {}),
        ("http://host", {}),
        ("http://user@host/path", {}),
        ("http://host/a b", {}),
        ("http://host/ä", {}),
        ("http://host/path", {"A": "b\r\nC: d"}),
        ("http://host/path", {"A": "b\n"}),
        ("http://host/path", {"A": "ä"}),
    ],
)
def test_unusual_requests_are_left_to_others(url: str, headers: dict[str, str]) -> None:
    with pytest.raises(UnusualError):
        request_of(url, headers)


def test_a_request() -> None:
    text, host = request_of("http://[::1]:80/a?b=c#d", {"Accept": "x", "User-Agent": "me"})
    assert host == "[::1]:80"
    assert text == b"GET /a?b=c HTTP/1.1\r\nHost: [::1]:80\r\nUser-Agent: me\r\nAccept: x\r\n\r\n"
    assert request_of("http://host/", {"host": "other"})[0].lower().count(b"host:") == 1


def test_what_is_too_large_is_refused_unread() -> None:
    with pytest.raises(ProtocolError, match=f"{len(BODY)} bytes or more, at most 100 are expected"):
        fetch(answering(OK), most=100)


def test_more_than_was_announced_is_an_error() -> None:
    with pytest.raises(ProtocolError, match="more bytes"):
        fetch(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd"))


@pytest.mark.parametrize("size", [10, 100, len(OK) - 1])
def test_an_answer_that_breaks_off(size: int) -> None:
    with pytest.raises(TransientError) as caught:
        fetch(answering(OK[:size]))
    assert isinstance(caught.value.error, TruncatedError)


def test_a_server_that_is_silent_or_too_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK[:1000])
        await reader.read()
        await reader.read()

    with pytest.raises(TimeoutError):
        fetch(silent, stall_timeout=0.05)

    async def drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in OK:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.01)

    monkeypatch.setattr(module, "RATE_WINDOW", 0.1)
    with pytest.raises(TransientError, match="bytes a second") as caught:
        fetch(drips, stall_timeout=0.05)
    assert isinstance(caught.value.error, UnreachableError)


def test_a_connection_that_nobody_uses_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE", 0.05)

    async def main() -> None:
        closed = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await answering(OK)(reader, writer)
            with contextlib.suppress(ConnectionError):
                await reader.read()
            closed.set()

        client = DirectClient(FetchOptions())
        async with serving(serve) as url:
            await client.get(url, {}, 1 << 20)
            await asyncio.wait_for(closed.wait(), 20)
            await client.close()

    run(main)


def test_cancelled_it_closes_the_connection() -> None:
    async def main() -> None:
        closed, asked = asyncio.Event(), asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            asked.set()
            with contextlib.suppress(ConnectionError):
                await reader.read()
            closed.set()

        client = DirectClient(FetchOptions())
        async with serving(serve) as url:
            task = asyncio.create_task(client.get(url, {}, 1 << 20))
            await asked.wait()
            task.cancel()
            await asyncio.wait([task])
            await asyncio.wait_for(closed.wait(), 20)
            await client.close()

    run(main)
