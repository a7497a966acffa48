"""For the tests of fetch: a small series as bytes, a server for it, and what to do with a source."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from badserver import BadServer, Instance
from dicomseries import plain, write
from volstream.errors import VolstreamError
from volstream.fetch.options import FetchOptions
from volstream.fetch.source import Fetched, Partial, Source, Want, open_source
from volstream.records import FrameRecord, Payload
from volstream.syntaxes import EXPLICIT

T = TypeVar("T")


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


async def collect(source: Source, records: Iterable[FrameRecord] | None = None) -> dict[str, Fetched]:
    """What a source delivers, by address, asked for by as many connections as it wants."""
    wanted = list(records) if records is not None else await source.records()
    results: dict[str, Fetched] = {
        record.address: Payload(record.location, record.transfer_syntax)
        for record in wanted
        if record.location is not None
    }
    pending = deque(Want(i, record) for i, record in enumerate(wanted) if record.location is None)

    async def put(want: Want, result: Fetched) -> None:
        assert want.record.address not in results
        results[want.record.address] = result

    async def connection() -> None:
        while pending:
            batch = [pending.popleft()]
            at_once, size = source.at_once, source.batch_size(batch[0].record)
            while pending and (at_once or (len(batch) < size and pending[0].record.uid == batch[0].record.uid)):
                batch.append(pending.popleft())
            pending.extend(await source.fetch(batch, put))

    while pending:
        async with asyncio.TaskGroup() as group:
            for _ in range(source.connections):
                group.create_task(connection())
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
) -> tuple[list[Fetched], BadServer]:
    """Load a series from a server that misbehaves; results in the order of the files."""

    async def main() -> tuple[list[Fetched], BadServer]:
        async with BadServer(files) as server:
            misbehave(server)
            source = open_source(server.series_url, FetchOptions(**options))
            try:
                results = await collect(source)
            finally:
                await source.close()
            return [results[f"wadors:{url}"] for url in server.frame_urls()], server

    return run(main)


def fetch_in_pieces(
    files: list[bytes],
    misbehave: Callable[[BadServer], None] = lambda server: None,
    sizes: Sequence[int | None] = (300, None),
    **options: Any,
) -> tuple[list[list[Fetched]], BadServer]:
    """Load each frame so many bytes at a time, one frame after the other: what came for each, up to the whole."""

    async def main() -> tuple[list[list[Fetched]], BadServer]:
        async with BadServer(files) as server:
            misbehave(server)
            source = open_source(server.series_url, FetchOptions(**options))
            by_address = {record.address: record for record in await source.records()}
            came: dict[str, list[Fetched]] = {f"wadors:{url}": [] for url in server.frame_urls()}

            async def put(want: Want, fetched: Fetched) -> None:
                came[want.record.address].append(fetched)

            try:
                for address, found in came.items():
                    held = None
                    for size in sizes:
                        await source.fetch([Want(0, by_address[address], size=size, held=held)], put)
                        if not isinstance(found[-1], Partial):
                            break
                        held = found[-1]
            finally:
                await source.close()
            return list(came.values()), server

    return run(main)


def frames_of(files: list[bytes]) -> list[tuple[bytes, str]]:
    """What the files hold: each frame's bytes and transfer syntax."""
    return [(frame, one.syntax) for one in map(Instance.of, files) for frame in one.frames]


def got(results: list[Fetched]) -> list[tuple[bytes, str]]:
    for result in results:
        if isinstance(result, VolstreamError):
            raise result
    return [(joined(result.data), result.transfer_syntax) for result in results]  # type: ignore[union-attr, arg-type]


def whole(came: list[list[Fetched]]) -> list[tuple[bytes, str]]:
    return got([each[-1] for each in came])


def sent(server: BadServer) -> dict[str, list[tuple[int, int]]]:
    """The ranges of bytes that each frame's answers had."""
    ranges: dict[str, list[tuple[int, int]]] = {}
    for request in server.requests:
        if "/frames/" in request.target:
            ranges.setdefault(request.target, []).append(request.sent)
    return ranges


def is_gapless(ranges: list[tuple[int, int]]) -> bool:
    """Whether they begin at the first byte, follow each other, and repeat nothing."""
    return ranges[0][0] == 0 and all(a[1] == b[0] for a, b in itertools.pairwise(ranges))
