"""Several jobs at once, their results in one stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Sequence
from typing import TypeAlias, TypeVar

from volstream.fetch.source import Fetched
from volstream.records import FrameRecord

T = TypeVar("T")
Put: TypeAlias = Callable[[Fetched], None]


class Wanted:
    """The frames still to be asked for; read only as far as requests can be sent, so that their order may change."""

    def __init__(self, records: Iterator[FrameRecord]) -> None:
        self._records = records
        self._kept: list[FrameRecord] = []

    def take(self) -> FrameRecord | None:
        return self._kept.pop() if self._kept else next(self._records, None)

    def take_same(self, instance: FrameRecord, count: int) -> list[FrameRecord]:
        """Up to `count` next frames, as long as they are of the same instance."""
        taken: list[FrameRecord] = []
        while len(taken) < count and (record := self.take()) is not None:
            if record.uid != instance.uid:
                self._kept.append(record)
                break
            taken.append(record)
        return taken


async def all_of(calls: Iterable[Callable[[], Awaitable[T]]], limit: int) -> list[T]:
    """The results of all calls, `limit` at a time; the first error ends them all."""
    slots = asyncio.Semaphore(limit)

    async def run(call: Callable[[], Awaitable[T]]) -> T:
        async with slots:
            return await call()

    tasks = [asyncio.create_task(run(call)) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def run_jobs(jobs: Sequence[Callable[[Put], Awaitable[None]]]) -> AsyncGenerator[Fetched, None]:
    """Run all jobs at once and yield what they put. A job puts errors of frames as results; what it raises is a defect.

    Closing the generator cancels what is under way and waits until it is gone.
    """
    results: asyncio.Queue[Fetched | asyncio.Task[None]] = asyncio.Queue()

    async def run(job: Callable[[Put], Awaitable[None]]) -> None:
        await job(results.put_nowait)

    tasks = [asyncio.create_task(run(job)) for job in jobs]
    for task in tasks:
        task.add_done_callback(results.put_nowait)
    running = len(tasks)
    try:
        while running:
            result = await results.get()
            if isinstance(result, asyncio.Task):
                result.result()
                running -= 1
            else:
                yield result
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
