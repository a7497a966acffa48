"""The byte budget: never above its limit, first come first served, nothing lost on cancellation."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from volstream.engine.budget import ByteBudget


@given(st.lists(st.integers(1, 150), max_size=30), st.integers(1, 100))
def test_never_above_the_limit_unless_one_frame_is(sizes: list[int], limit: int) -> None:
    budget = ByteBudget(limit)
    held: dict[int, int] = {}

    async def frame(number: int, size: int) -> None:
        await budget.acquire(size)
        held[number] = size
        assert sum(held.values()) <= limit or len(held) == 1
        await asyncio.sleep(0)
        del held[number]
        budget.release(size)

    async def main() -> None:
        await asyncio.gather(*(frame(i, size) for i, size in enumerate(sizes)))

    asyncio.run(main())
    assert budget.peak <= max([limit, *sizes])


def test_first_come_first_served() -> None:
    order = []

    async def main() -> None:
        budget = ByteBudget(10)
        await budget.acquire(10)

        async def wait(number: int, size: int) -> None:
            await budget.acquire(size)
            order.append(number)
            budget.release(size)

        tasks = [asyncio.create_task(wait(number, 10 - number)) for number in (1, 2, 3)]
        await asyncio.sleep(0)
        budget.release(10)
        await asyncio.gather(*tasks)

    asyncio.run(main())
    assert order == [1, 2, 3]


def test_a_cancelled_waiter_takes_nothing() -> None:
    async def main() -> None:
        budget = ByteBudget(10)
        await budget.acquire(10)
        waiter = asyncio.create_task(budget.acquire(5))
        await asyncio.sleep(0)
        waiter.cancel()
        await asyncio.gather(waiter, return_exceptions=True)
        budget.release(10)
        await asyncio.wait_for(budget.acquire(10), 5)

    asyncio.run(main())


def test_cancelled_in_the_moment_it_is_granted_gives_it_back() -> None:
    async def main() -> None:
        budget = ByteBudget(10)
        await budget.acquire(10)
        waiter = asyncio.create_task(budget.acquire(10))
        await asyncio.sleep(0)
        budget.release(10)  # grants, but the waiter has not run yet
        waiter.cancel()
        await asyncio.gather(waiter, return_exceptions=True)
        await asyncio.wait_for(budget.acquire(10), 5)

    asyncio.run(main())


def test_release_from_another_thread_wakes_the_loop() -> None:
    async def main() -> None:
        budget = ByteBudget(10)
        await budget.acquire(10)
        waiter = asyncio.create_task(budget.acquire(10))
        await asyncio.sleep(0)
        await asyncio.to_thread(budget.release, 10)
        await asyncio.wait_for(waiter, 5)

    asyncio.run(main())
