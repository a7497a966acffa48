"""The byte budget: never above its limit, first come first served, nothing lost on cancellation."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from volstream.engine.budget import ByteBudget
from volstream.records import FrameRecord, PixelFormat, SeriesInfo

RECORD = FrameRecord("1.2", 0, 1, "wadors:a", "", SeriesInfo(), PixelFormat(1, 1, 8, 8, 7))


def record(number: int, size: int) -> FrameRecord:
    return replace(RECORD, address=f"wadors:{number}", pixel=PixelFormat(1, size, 8, 8, 7))


@given(st.lists(st.integers(1, 150), max_size=30), st.integers(1, 100))
def test_never_above_the_limit_unless_one_frame_is(sizes: list[int], limit: int) -> None:
    budget = ByteBudget(limit)
    held: dict[int, int] = {}

    async def frame(number: int, size: int) -> None:
        await budget.acquire([record(number, size)])
        held[number] = size
        assert sum(held.values()) <= limit or len(held) == 1
        await asyncio.sleep(0)
        del held[number]
        budget.release(record(number, 1))

    async def main() -> None:
        await asyncio.gather(*(frame(i, size) for i, size in enumerate(sizes)))

    asyncio.run(main())
    assert budget.peak <= max([limit, *sizes])


def test_first_come_first_served() -> None:
    order = []

    async def main() -> None:
        budget = ByteBudget(10)
        await budget.acquire([record(0, 10)])

        async def wait(number: int, size: int) -> None:
            await budget.acquire([record(number, size)])
            order.append(number)
            budget.release(record(number, 1))

        tasks = [asyncio.create_task(wait(number, 10 - number)) for number in (1, 2, 3)]
        await asyncio.sleep(0)
        budget.release(record(0, 1))
        await asyncio.gather(*tasks)

    asyncio.run(main())
    assert order == [1, 2, 3]


def test_a_cancelled_waiter_takes_nothing() -> None:
    async def main() -> None:
        budget = ByteBudget(10)
        await budget.acquire([record(0, 10)])
        waiter = asyncio.create_task(budget.acquire([record(1, 5)]))
        await asyncio.sleep(0)
        waiter.cancel()
        await asyncio.gather(waiter, return_exceptions=True)
        budget.release(record(0, 1))
        await asyncio.wait_for(budget.acquire([record(2, 10)]), 5)

    asyncio.run(main())


def test_cancelled_in_the_moment_it_is_granted_gives_it_back() -> None:
    async def main() -> None:
        budget = ByteBudget(10)
        await budget.acquire([record(0, 10)])
        waiter = asyncio.create_task(budget.acquire([record(1, 10)]))
        await asyncio.sleep(0)
        budget.release(record(0, 1))  # grants, but the waiter has not run yet
        waiter.cancel()
        await asyncio.gather(waiter, return_exceptions=True)
        await asyncio.wait_for(budget.acquire([record(2, 10)]), 5)

    asyncio.run(main())


def test_release_from_another_thread_wakes_the_loop() -> None:
    async def main() -> None:
        budget = ByteBudget(10)
        await budget.acquire([record(0, 10)])
        waiter = asyncio.create_task(budget.acquire([record(1, 10)]))
        await asyncio.sleep(0)
        await asyncio.to_thread(budget.release, record(0, 1))
        await asyncio.wait_for(waiter, 5)

    asyncio.run(main())
