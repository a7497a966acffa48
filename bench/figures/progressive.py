"""Loading over a slow link: when the first picture is there, when every slice has one, and when all is complete.

The first case is the one for which Cornerstone3D publishes figures, in its documentation on progressive loading: 174
slices of 512 x 512, 33 MB of HTJ2K, over 30 Mbit/s down, 5 up and 10 ms. There, in some browser on some machine and by
byte ranges, the first volume shows after 1002 ms, and is complete after 8813 ms.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np

import volstream
from volstream.samples import Truth
from volstream.syntaxes import HTJ2K_RPCL

from ..bounds import read_and_drop
from ..servers.nginx import nginx, requests_read
from ..servers.throttle import Link, throttled
from ..timing import summary
from .figure import Figure, Series

SLICES = 174
#: HU: with it, slices are as long as the published ones.
NOISE = 5.75
#: A round takes many seconds, and the link makes all alike.
ROUNDS = 3


class Case(NamedTuple):
    rate: float
    up_rate: float
    latency: float
    #: Bars for the milliseconds until every slice has an image, and for the whole against the plain transfer.
    coverage: float | None = None
    complete: float | None = None

    def __str__(self) -> str:
        return f"{self.rate / 1e6:.0f} Mbit/s, {self.latency * 1e3:.0f} ms"


CASES = (
    Case(30e6, 5e6, 0.010, coverage=350, complete=1.03),
    Case(200e6, 200e6, 0.040),
    Case(1e9, 1e9, 0.005),
)


def progressive_loading(series: Series, rounds: int) -> list[Figure]:
    """Milliseconds from `volstream.open` to each stage, and the plain transfer of the same bodies on the same link."""
    truth = series(HTJ2K_RPCL, slices=min(SLICES, series.slices), noise=NOISE)
    figures = []
    with nginx(truth.folder) as (url, *frames):
        server = urlsplit(url)
        for case in CASES:
            with throttled(
                str(server.hostname), int(server.port or 80), rate=case.rate, up_rate=case.up_rate, latency=case.latency
            ) as link:
                near = server.netloc, f"127.0.0.1:{link.port}"
                far = url.replace(*near)
                bodies = [body.replace(*near) for body in (f"{url}/metadata", *frames)]
                coverage = picture(far, truth)
                loads, transfers = [], []
                for _ in range(min(rounds, ROUNDS)):
                    loads.append(crossing(link, url, lambda address=far: stages(address)))
                    transfers.append(crossing(link, url, lambda addresses=bodies: transfer(addresses)))
            figures += report(case, loads, transfers, coverage)
    return figures


def stages(url: str) -> dict[str, float]:
    """Seconds until the headers, a first slice with any image, all slices with any, and all at full quality."""
    begin = time.perf_counter()
    seconds = {}
    with volstream.open(url) as volume:
        seconds["headers"] = time.perf_counter() - begin
        next(volume.events())
        seconds["first"] = time.perf_counter() - begin
        volume.wait(quality=1)
        seconds["coverage"] = time.perf_counter() - begin
        volume.wait()
        seconds["complete"] = time.perf_counter() - begin
    return seconds


def transfer(urls: list[str]) -> dict[str, float]:
    begin = time.perf_counter()
    asyncio.run(read_and_drop(urls))
    return {"complete": time.perf_counter() - begin}


def picture(url: str, truth: Truth) -> dict[str, Any]:
    """What there is to see when every slice has an image: slices by state, and how far voxels are from the truth. What
    is there in the end must be right."""
    with volstream.open(url) as volume:
        volume.wait(quality=1)
        states, seen = volume.states, volume.array.copy()
        volume.wait()
        if not np.array_equal(volume.array, truth.array):
            raise AssertionError(f"wrong voxels from {url}")
    error = np.mean(
        [np.abs(np.subtract(*pair, dtype=np.float32)).mean() for pair in zip(seen, truth.array, strict=True)]
    )
    return {"slices by state": dict(Counter(states.tolist())), "mean absolute error": float(error)}


def crossing(link: Link, server: str, run: Callable[[], dict[str, float]]) -> dict[str, float]:
    """What `run` returns, and what crossed the link meanwhile."""
    requests, down, up = requests_read(server), link.down_bytes, link.up_bytes
    result = run()
    return {
        **result,
        "requests": requests_read(server) - requests - 1,
        "bytes down": link.down_bytes - down,
        "bytes up": link.up_bytes - up,
    }


def report(case: Case, loads: list[dict[str, float]], transfers: list[dict[str, float]], picture: Any) -> list[Figure]:
    """Three lines for a case."""
    load, plain = ({key: summary([run[key] for run in runs]) for key in runs[0]} for runs in (loads, transfers))
    details = {
        "volstream": load,
        "aiohttp": plain,
        "wire limit": plain["bytes down"]["median"] * 8 / case.rate,
        "at coverage": picture,
    }
    first, coverage = (load[key]["median"] * 1e3 for key in ("first", "coverage"))
    ratio = load["complete"]["median"] / plain["complete"]["median"]
    return [
        Figure(f"{case}: first picture, milliseconds", first, *bar(first, None), details),
        Figure(f"{case}: every slice has an image, milliseconds", coverage, *bar(coverage, case.coverage), details),
        Figure(f"{case}: complete / plain transfer", ratio, *bar(ratio, case.complete), details),
    ]


def bar(value: float, limit: float | None) -> tuple[str, bool]:
    return ("none", True) if limit is None else (f"<= {limit}", value <= limit)
