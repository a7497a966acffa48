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
from volstream.fetch.metadata import read_series
from volstream.fetch.meter import Meter
from volstream.fetch.options import FetchOptions
from volstream.fetch.retry import Clock
from volstream.fetch.source import open_source


def answer(sent: float, now: float, received: int) -> Any:
    return cast(Any, SimpleNamespace(sent=sent, received=received, clock=SimpleNamespace(now=lambda: now)))


def test_bytes_over_the_time_in_which_any_was_waited_for() -> None:
    meter = Meter()
    assert meter.rate is None
    meter.add(answer(10, 12, 1000))
    assert meter.rate == 500
    meter.add(answer(20, 22, 1000))  # the pause does not count
    assert meter.rate == 500
    meter.add(answer(21, 24, 2000))  # nor what overlaps twice
    assert meter.rate == 4000 / 6


def test_bytes_are_counted_on_the_wire(files: list[bytes]) -> None:
    """Compressed as they came, and from the request on: the clock goes on by a second at each look at it."""

    async def main() -> None:
        seconds = itertools.count()
        async with BadServer(files) as server:
            sizes = []
            server.misbehave(bad.gzipped, path="/metadata")
            server.misbehave(lambda request, reply: sizes.append(len(reply.body)), path="/metadata")
            meter, http = Meter(), Http(FetchOptions(), clock=Clock(now=lambda: float(next(seconds))))
            assert len(await read_series(http, server.series_url, "", meter)) == len(files)
            await http.close()
            assert meter.received == sizes[0]
            assert 2 <= meter.seconds < next(seconds)

    run(main)


def test_sources_tell_their_rate(files: list[bytes], tmp_path: Path) -> None:
    async def main() -> None:
        async with BadServer(files) as server:
            uid = next(iter(server.instances))
            remote = [server.series_url, [f"wadors:{server.frame_url(uid)}"], [f"wadouri:{server.object_url(uid)}"]]
            for spec in remote:
                source = open_source(spec)
                assert source.rate is None
                await source.records()
                assert source.rate is not None
                assert source.rate > 0
                await source.close()
        (tmp_path / "1.dcm").write_bytes(files[0])
        for spec in (str(tmp_path / "1.dcm"), files):
            source = open_source(spec)
            await source.records()
            assert source.rate is None
            await source.close()

    run(main)
