"""The throttling proxy: what passes is unchanged and counted, what ends on one side ends on the other, and, by a clock
that only moves when everything waits, bandwidth and latency are what was asked for."""

from __future__ import annotations

import asyncio
import random
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volstream.bench.servers.throttle import SOCKET_BUFFER, Flow, Link, Wire, throttled

FAST = {"rate": 8e9, "latency": 0.0}
MEGABYTE = 1 << 20


@contextmanager
def server(handle: Callable[[socket.socket], Any]) -> Iterator[tuple[str, int]]:
    """A thread for each connection; all must have ended when the block does. Resets are what some tests are about."""
    threads = []

    def answer(connection: socket.socket) -> None:
        with connection, suppress(ConnectionError):
            handle(connection)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=answer, args=(connection,)))
            threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield listener.getsockname()
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for thread in threads:
                thread.join(10)
            assert not any(thread.is_alive() for thread in threads), "a connection of the server's has not ended"


def connect(link: Link) -> socket.socket:
    return socket.create_connection(("127.0.0.1", link.port), timeout=30)


def read_all(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def echo(connection: socket.socket) -> None:
    while data := connection.recv(1 << 16):
        connection.sendall(data)


def settled(value: Callable[[], int]) -> int:
    """Its value once it stands still."""
    seen = -1
    while (now := value()) != seen:
        seen = now
        time.sleep(0.2)
    return seen


@given(st.lists(st.integers(1, 200_000), max_size=12), st.integers(1, 4))
@settings(max_examples=15, deadline=None)
def test_bytes_pass_unchanged_and_are_counted(sizes: list[int], connections: int) -> None:
    with server(echo) as address, throttled(*address, **FAST) as link, ExitStack() as stack:
        sent = [random.Random(n).randbytes(sum(sizes)) for n in range(connections)]
        received = [b""] * connections

        def talk(n: int) -> None:
            with connect(link) as connection:
                reader = threading.Thread(target=lambda: received.__setitem__(n, read_all(connection)))
                reader.start()
                position = 0
                for size in sizes:
                    connection.sendall(sent[n][position : position + size])
                    position += size
                connection.shutdown(socket.SHUT_WR)
                reader.join()

        for n in range(connections):
            thread = threading.Thread(target=talk, args=(n,))
            thread.start()
            stack.callback(thread.join)
        stack.close()
        assert received == sent
        assert link.up_bytes == link.down_bytes == connections * sum(sizes)


def test_one_side_may_end_before_the_other() -> None:
    def count(connection: socket.socket) -> None:
        connection.sendall(str(len(read_all(connection))).encode())

    with server(count) as address, throttled(*address, **FAST) as link, connect(link) as connection:
        connection.sendall(bytes(MEGABYTE))
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection) == str(MEGABYTE).encode()


def test_a_cancelled_download_does_not_go_on() -> None:
    heard = threading.Event()

    def download(connection: socket.socket) -> None:
        try:
            connection.sendall(bytes(64 * MEGABYTE))
        except ConnectionError:
            heard.set()

    with server(download) as address, throttled(*address, rate=80e6, latency=0.002) as link:
        with connect(link) as connection:
            connection.recv(1)
        assert heard.wait(30)
        assert settled(lambda: link.down_bytes) < 16 * MEGABYTE


def test_a_client_that_does_not_read_holds_the_server_back() -> None:
    def download(connection: socket.socket) -> None:
        connection.sendall(bytes(64 * MEGABYTE))

    with server(download) as address, throttled(*address, **FAST) as link, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER)
        connection.connect(("127.0.0.1", link.port))
        connection.recv(1)
        assert settled(lambda: link.down_bytes) < 8 * MEGABYTE


def test_an_abort_by_the_server_is_not_taken_for_an_end() -> None:
    def abort(connection: socket.socket) -> None:
        connection.recv(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with server(abort) as address, throttled(*address, **FAST) as link, connect(link) as connection:
        connection.sendall(b"?")
        with pytest.raises(ConnectionError):
            read_all(connection)


def test_without_a_server_the_connection_is_refused_and_the_link_goes_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    with throttled(*address, **FAST) as link:
        for _ in range(2):
            with pytest.raises(ConnectionError), connect(link) as connection:
                connection.recv(1)
        assert link.down_bytes == 0


def test_leaving_the_block_ends_everything() -> None:
    with server(echo) as address:
        with throttled(*address, **FAST) as link:
            connections = [connect(link) for _ in range(3)]
            for connection in connections:
                connection.sendall(b"?")
                assert connection.recv(1) == b"?"
        for connection in connections:
            with connection:
                assert connection.recv(1) == b""
        with pytest.raises(OSError, match="refused"):
            connect(link)


def test_it_ends_with_the_process_that_started_it() -> None:
    program = """
import os, sys
from volstream.bench.servers.throttle import throttled
with throttled("127.0.0.1", 9, rate=1e6, latency=0) as link:
    print(link.port, flush=True)
    os._exit(0)
"""
    environment = {"PYTHONPATH": ":".join(sys.path)}
    port = int(subprocess.check_output([sys.executable, "-c", program], env=environment))
    for _ in range(500):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.01)
    pytest.fail("the proxy goes on")


class Clock(selectors.SelectSelector):
    """Instead of waiting, time passes."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "waiting for ever"
            self.now += max(timeout, 0)
        return ready


def run_by_the_clock(main: Callable[[], Any]) -> Any:
    clock = Clock()
    loop = asyncio.SelectorEventLoop(clock)
    loop.time = lambda: clock.now  # type: ignore[method-assign]
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main())


async def transfer(wire: Wire, size: int) -> tuple[float, float]:
    """Seconds until the first and the last byte of a connection of its own have arrived."""
    loop = asyncio.get_running_loop()
    with ExitStack() as stack:
        pairs = (*socket.socketpair(), *socket.socketpair())
        sender, source, sink, receiver = (stack.enter_context(end) for end in pairs)
        for end in pairs:
            end.setblocking(False)
        flow = Flow(wire, source, sink)

        async def send() -> None:
            await loop.sock_sendall(sender, bytes(size))
            sender.shutdown(socket.SHUT_WR)

        async def receive() -> tuple[float, float]:
            got = len(await loop.sock_recv(receiver, 1 << 16))
            first = loop.time()
            while chunk := await loop.sock_recv(receiver, 1 << 16):
                got += len(chunk)
            assert got == size
            return first, loop.time()

        *_, times = await asyncio.gather(send(), flow.enter(), flow.leave(), receive())
        return times


@pytest.mark.parametrize("connections", [1, 16])
@pytest.mark.parametrize("rate", [30e6, 200e6, 1e9])
@pytest.mark.parametrize("delay", [0.0, 0.1])
def test_rate_and_delay_by_the_clock(connections: int, rate: float, delay: float) -> None:
    async def main() -> list[tuple[float, float]]:
        wire = Wire(rate, delay)
        assert wire.chunk * 8 / rate <= 0.002
        size = int(rate / 8) // connections
        times = await asyncio.gather(*(transfer(wire, size) for _ in range(connections)))
        assert wire.carried == connections * size
        return times

    times = run_by_the_clock(main)
    assert max(last for _, last in times) == pytest.approx(1 + delay, rel=0.01)
    assert min(last for _, last in times) > 0.95 + delay  # all had their share
    assert min(first for first, _ in times) == pytest.approx(delay, abs=0.003)


def test_an_idle_wire_saves_up_next_to_nothing() -> None:
    async def main() -> float:
        wire = Wire(8e6, 0)
        await transfer(wire, 1000)
        await asyncio.sleep(10)
        begin = asyncio.get_running_loop().time()
        await transfer(wire, 100_000)
        return asyncio.get_running_loop().time() - begin

    assert run_by_the_clock(main) == pytest.approx(0.1, abs=0.005)
