"""A slow link on loopback: a TCP proxy, in a process of its own, that has a bandwidth and a latency.

    with throttled("127.0.0.1", port, rate=30e6, latency=0.010) as link:
        ...                # talk to link.port
        link.down_bytes    # so much came from the server

The rate is bit/s of payload; down and up are apart, and each is shared fairly by all connections. The latency is what
the link adds to a round trip, in seconds: half of it each way; the process itself takes about another millisecond. A
new connection carries nothing for one round trip, as TCP's handshake would. There are no packets here, so none of their
headers, losses, or slow start.

Bytes wait for their turn on the wire, where the server is held back, and travel then, which takes time and no
bandwidth. So a cancelled download still costs what enters the wire until the server hears of it, and no more.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import selectors
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

#: Seconds of bandwidth that may be made up for after the process was late, and by which it may be early.
LATE, EARLY = 0.004, 0.0005
#: Bytes that the system may hold on either side of the link for one connection.
SOCKET_BUFFER = 1 << 18


class Wire:
    """One direction of the link, shared by all connections."""

    def __init__(self, rate: float, delay: float) -> None:
        self.delay = delay
        self.chunk = min(max(1460, int(rate / 8 * 0.001)), 1 << 16)
        #: Bytes of one connection that may be under way: twice what the wire holds at full rate.
        self.window = int(rate / 8 * delay * 2) + 4 * self.chunk
        self.carried = 0
        self._rate = rate / 8
        self._free = 0.0  # when all that has been brought so far is through

    async def carry(self, size: int) -> None:
        """Back when `size` bytes have entered the wire, behind those for which it was called before: connections that
        wait for one chunk before they bring the next take turns."""
        now = asyncio.get_running_loop().time()
        self._free = max(self._free, now - LATE) + size / self._rate
        self.carried += size
        if self._free > now + EARLY:
            await asyncio.sleep(self._free - now)


class Flow:
    """One direction of one connection."""

    def __init__(self, wire: Wire, source: socket.socket, sink: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._wire, self._source, self._sink = wire, source, sink
        #: When it arrives, and what: bytes, none for the end of the stream, an error for its abort.
        self._travelling: asyncio.Queue[tuple[float, bytes | OSError]] = asyncio.Queue()
        self._size = 0
        self._room = asyncio.Event()
        self._room.set()

    async def enter(self) -> None:
        try:
            while chunk := await self._loop.sock_recv(self._source, self._wire.chunk):
                await self._room.wait()
                await self._wire.carry(len(chunk))
                self._size += len(chunk)
                if self._size > self._wire.window:
                    self._room.clear()
                self._send_off(chunk)
            self._send_off(b"")
        except OSError as error:
            self._send_off(error)

    def _send_off(self, what: bytes | OSError) -> None:
        self._travelling.put_nowait((self._loop.time() + self._wire.delay, what))

    async def leave(self) -> None:
        """Deliver until the end of the stream. OSError when the other side has been told that it is aborted."""
        while True:
            arrival, what = await self._travelling.get()
            if (wait := arrival - self._loop.time()) > 0:
                await asyncio.sleep(wait)
            if isinstance(what, OSError):
                raise what
            try:
                if not what:
                    return self._sink.shutdown(socket.SHUT_WR)
                await self._loop.sock_sendall(self._sink, what)
            except OSError:  # nobody is there: the news has a way to go, too
                await asyncio.sleep(self._wire.delay)
                raise
            self._size -= len(what)
            self._room.set()


class Proxy:
    def __init__(self, server: tuple[str, int], rate: float, up_rate: float, latency: float) -> None:
        self._server, self._latency = server, latency
        self.down, self.up = Wire(rate, latency / 2), Wire(up_rate, latency / 2)

    async def accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as connections:
            while True:
                client, _ = await loop.sock_accept(listener)
                connections.create_task(self._connection(client))

    async def _connection(self, client: socket.socket) -> None:
        with client, socket.socket() as server:
            try:
                _prepare(client)
                _prepare(server)
                await asyncio.sleep(self._latency)
                await asyncio.get_running_loop().sock_connect(server, self._server)
                async with asyncio.TaskGroup() as tasks:
                    for flow in Flow(self.up, client, server), Flow(self.down, server, client):
                        tasks.create_task(flow.enter())
                        tasks.create_task(flow.leave())
            except* OSError:  # reset both
                for end in client, server:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _prepare(end: socket.socket) -> None:
    end.setblocking(False)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for buffer in socket.SO_RCVBUF, socket.SO_SNDBUF:
        end.setsockopt(socket.SOL_SOCKET, buffer, SOCKET_BUFFER)


async def _run(options: dict[str, Any]) -> None:
    """Print the port; then a line of counts for every line of input, until it ends."""
    proxy, loop, main = Proxy(**options), asyncio.get_running_loop(), asyncio.current_task()
    assert main is not None

    def answer() -> None:
        if os.read(0, 1):
            print(json.dumps([proxy.down.carried, proxy.up.carried]), flush=True)
        else:
            main.cancel()

    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        listener.setblocking(False)
        loop.add_reader(0, answer)
        print(listener.getsockname()[1], flush=True)
        await proxy.accept(listener)


class Link:
    """The way to a server that a `throttled` block opens."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.port = int(self._line())

    @property
    def down_bytes(self) -> int:
        """Bytes that have come from the server, of all connections."""
        return self._counts()[0]

    @property
    def up_bytes(self) -> int:
        return self._counts()[1]

    def _counts(self) -> tuple[int, int]:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        down, up = json.loads(self._line())
        return down, up

    def _line(self) -> str:
        assert self._process.stdout is not None
        if not (line := self._process.stdout.readline()):
            raise RuntimeError("the throttling proxy has ended")
        return line


@contextlib.contextmanager
def throttled(host: str, port: int, *, rate: float, latency: float, up_rate: float | None = None) -> Iterator[Link]:
    """A link to the server at `host` and `port`: `rate` bit/s down, `up_rate` (the same, if None) up, and `latency`
    seconds more for a round trip. Leaving the block aborts what is open."""
    options = {"server": (host, port), "rate": rate, "up_rate": up_rate or rate, "latency": latency}
    command = [sys.executable, __file__, json.dumps(options)]
    # It ends with its input: also when this process is killed, and not by a Ctrl-C that is meant for this one.
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        yield Link(process)


if __name__ == "__main__":
    # epoll counts in milliseconds, select in microseconds.
    with (
        contextlib.suppress(asyncio.CancelledError),
        asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner,
    ):
        runner.run(_run(json.loads(sys.argv[1])))
