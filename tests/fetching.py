"""For the tests of fetch: a small series as bytes, a server for it, and what to do with a source."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from badserver import BadServer, Instance
from dicomseries import plain, write
from volstream.errors import VolstreamError
from volstream.fetch.options import FetchOptions
from volstream.fetch.source import Source, open_source
from volstream.records import FrameRecord, Payload
from volstream.syntaxes import EXPLICIT

T = TypeVar("T")


class Leases:
    """A budget without bounds that remembers who asked."""

    def __init__(self) -> None:
        self.taken: list[FrameRecord] = []

    async def acquire(self, records: Sequence[FrameRecord]) -> None:
        self.taken += records


def joined(data: object) -> bytes:
    """A payload's bytes, in one piece."""
    return b"".join(data) if isinstance(data, tuple) else bytes(data)  # type: ignore[arg-type, call-overload]


def run(main: Callable[[], Awaitable[T]]) -> T:
    """`asyncio.run`, and no task may be left when `main` is over."""

    async def checked() -> T:
        result = await main()
        await asyncio.sleep(0)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks are left: {left}"
        return result

    return asyncio.run(checked())


async def collect(
    source: Source, records: Iterable[FrameRecord] | None = None, leases: Leases | None = None
) -> dict[str, Payload | VolstreamError]:
    """What a source delivers, by address."""
    wanted = list(records) if records is not None else await source.records()
    results: dict[str, Payload | VolstreamError] = {}
    async with contextlib.aclosing(source.stream(iter(wanted), leases or Leases())) as stream:  # type: ignore[type-var]
        async for record, result in stream:
            assert record.address not in results
            results[record.address] = result
    assert len(results) == len(wanted)
    return results


def make_files(folder: Path, count: int = 3, syntax: str = EXPLICIT, **changes: Any) -> list[bytes]:
    series = plain(count=count)
    series.transfer_syntax = syntax
    for name, value in changes.items():
        setattr(series, name, value)
    return [path.read_bytes() for path in write(series, folder).files.values()]


def fetch(
    files: list[bytes], misbehave: Callable[[BadServer], None] = lambda server: None, **options: Any
) -> tuple[list[Payload | VolstreamError], BadServer]:
    """Load a series from a server that misbehaves; results in the order of the files."""

    async def main() -> tuple[list[Payload | VolstreamError], BadServer]:
        async with BadServer(files) as server:
            misbehave(server)
            source = open_source(server.series_url, FetchOptions(**options))
            try:
                results = await collect(source)
            finally:
                await source.close()
            order = {
                f"wadors:{server.frame_url(uid, n + 1)}": None
                for uid, one in server.instances.items()
                for n in range(len(one.frames))
            }
            return [results[address] for address in order], server

    return run(main)


def frames_of(files: list[bytes]) -> list[tuple[bytes, str]]:
    """What the files hold: each frame's bytes and transfer syntax."""
    return [(frame, one.syntax) for one in map(Instance.of, files) for frame in one.frames]


def got(results: list[Payload | VolstreamError]) -> list[tuple[bytes, str]]:
    for result in results:
        if isinstance(result, VolstreamError):
            raise result
    return [(joined(result.data), result.transfer_syntax) for result in results]  # type: ignore[union-attr, arg-type]
