"""Requests of several volumes: within the limits, fair, the urgent ones first, nothing lost on cancellation."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from volstream.engine.scheduler import Lane, Scheduler


async def requests(lane: Lane, count: int, log: list[str], name: str) -> None:
    async def one() -> None:
        async with lane:
            log.append(name)
            await asyncio.sleep(0)

    await asyncio.gather(*(one() for _ in range(count)))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 12)), min_size=1, max_size=4), st.integers(1, 6))
def test_never_above_a_limit(volumes: list[tuple[str, int]], limit: int) -> None:
    scheduler = Scheduler(limit)
    running: Counter[str] = Counter()

    async def one(lane: Lane) -> None:
        async with lane:
            running[lane.host] += 1
            assert running[lane.host] <= 3
            assert running.total() <= limit
            await asyncio.sleep(0)
            running[lane.host] -= 1

    async def main() -> None:
        lanes = [scheduler.lane(host, 3, lambda: False) for host, _ in volumes]
        await asyncio.gather(
            *(one(lane) for lane, (_, count) in zip(lanes, volumes, strict=True) for _ in range(count))
        )

    asyncio.run(main())
    assert scheduler._busy == 0


def test_two_volumes_take_turns() -> None:
    log: list[str] = []

    async def main() -> None:
        scheduler = Scheduler()
        pet, ct = (scheduler.lane("host", 1, lambda: False) for _ in range(2))
        await asyncio.gather(requests(ct, 6, log, "CT"), requests(pet, 6, log, "PET"))

    asyncio.run(main())
    assert all(abs(log[:n].count("CT") - log[:n].count("PET")) <= 1 for n in range(len(log)))


def test_a_volume_that_comes_late_starts_level() -> None:
    log: list[str] = []

    async def main() -> None:
        scheduler = Scheduler()
        first = scheduler.lane("host", 1, lambda: False)
        early = asyncio.create_task(requests(first, 20, log, "a"))
        while len(log) < 10:  # noqa: ASYNC110 - each turn of the loop is one step of theirs
            await asyncio.sleep(0)
        late = scheduler.lane("host", 1, lambda: False)
        await asyncio.gather(early, requests(late, 5, log, "b"))

    asyncio.run(main())
    assert sorted(log[10:22]) == ["a"] * 7 + ["b"] * 5


def test_an_urgent_request_overtakes_prefetch() -> None:
    log: list[str] = []

    async def main() -> None:
        scheduler = Scheduler()
        plain = scheduler.lane("host", 1, lambda: False)
        urgent = scheduler.lane("host", 1, lambda: True)
        urgent.granted = 1000
        await asyncio.gather(requests(plain, 4, log, "plain"), requests(urgent, 2, log, "urgent"))

    asyncio.run(main())
    assert log == ["plain", "urgent", "urgent", "plain", "plain", "plain"]


def test_a_full_host_does_not_hold_up_another() -> None:
    log: list[str] = []

    async def main() -> None:
        scheduler = Scheduler()
        slow, quick = scheduler.lane("slow", 1, lambda: False), scheduler.lane("quick", 1, lambda: False)
        async with slow:
            waiting = asyncio.create_task(requests(slow, 1, log, "slow"))
            await requests(quick, 2, log, "quick")
            assert log == ["quick", "quick"]
        await waiting

    asyncio.run(main())


def test_cancelled_while_it_waits_and_in_the_moment_it_is_granted() -> None:
    async def main() -> None:
        scheduler = Scheduler()
        lane = scheduler.lane("host", 1, lambda: False)
        for granted in (False, True):
            await lane.__aenter__()
            waiter = asyncio.create_task(requests(lane, 1, [], ""))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            if granted:
                await lane.__aexit__()  # grants, but the waiter has not run yet
            waiter.cancel()
            await asyncio.gather(waiter, return_exceptions=True)
            if not granted:
                await lane.__aexit__()
            assert scheduler._busy == 0

    asyncio.run(main())


def test_volumes_on_loops_of_their_own_share_the_limit() -> None:
    scheduler, most = Scheduler(2), []

    async def main() -> None:
        lane = scheduler.lane("host", 16, lambda: False)

        async def one() -> None:
            async with lane:
                most.append(scheduler._busy)
                await asyncio.sleep(0.001)

        await asyncio.gather(*(one() for _ in range(10)))

    threads = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 30
    assert max(most) <= 2
    assert scheduler._busy == 0
