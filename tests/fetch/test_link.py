"""How fast a link is said to be, in times that the test makes up."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import faults as bad
from badserver import BadServer
from fetching import run
from volstream.fetch.http import Http
from volstream.fetch.link import Link
from volstream.fetch.metadata import read_series
from volstream.fetch.options import FetchOptions
from volstream.fetch.retry import Clock
from volstream.fetch.source import open_source


def answer(sent: float, began: float, now: float, received: int) -> Any:
    clock = SimpleNamespace(now=lambda: now)
    return cast(Any, SimpleNamespace(sent=sent, began=began, received=received, clock=clock))


def test_bytes_over_the_time_in_which_any_was_waited_for() -> None:
    link = Link()
    assert link.rate is None
    link.add(answer(10, 11, 12, 1000))
    assert link.rate == 500
    link.add(answer(20, 21, 22, 1000))  # the pause does not count
    assert link.rate == 500
    link.add(answer(21, 23, 24, 2000))  # nor what overlaps twice
    assert link.rate == 4000 / 6


def test_bandwidth_is_that_of_large_bodies_once_they_come() -> None:
    link = Link()
    link.add(answer(0, 3, 3, 1000))
    assert link.bandwidth is None
    link.add(answer(10, 12, 14, 1 << 20))
    assert link.bandwidth == 1 << 19
    assert link.latency == 2


def test_bytes_are_counted_on_the_wire(files: list[bytes]) -> None:
    """Compressed as they came, and from the request on: the clock goes on by a second at each look at it."""

    async def main() -> None:
        seconds = itertools.count()
        async with BadServer(files) as server:
            sizes = []
            server.misbehave(bad.gzipped, path="/metadata")
            server.misbehave(lambda request, reply: sizes.append(len(reply.body)), path="/metadata")
            http = Http(FetchOptions(), clock=Clock(now=lambda: float(next(seconds))))
            assert len(await read_series(http, server.series_url)) == len(files)
            await http.close()
            assert http.link.received == sizes[0]
            assert 2 <= http.link.seconds < next(seconds)

    run(main)


def test_sources_tell_of_their_link(files: list[bytes], tmp_path: Path) -> None:
    async def main() -> None:
        async with BadServer(files) as server:
            uid = next(iter(server.instances))
            remote = [server.series_url, [f"wadors:{server.frame_url(uid)}"], [f"wadouri:{server.object_url(uid)}"]]
            for spec in remote:
                source = open_source(spec)
                assert source.link is not None
                assert source.link.rate is None
                await source.records()
                assert source.link.rate is not None
                assert source.link.rate > 0
                await source.close()
        (tmp_path / "1.dcm").write_bytes(files[0])
        for spec in (str(tmp_path / "1.dcm"), files):
            source = open_source(spec)
            await source.records()
            assert source.link is None
            await source.close()

    run(main)
