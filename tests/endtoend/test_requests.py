"""Slices that are asked for one by one, by callers who merge the queues of several volumes themselves."""

from __future__ import annotations

import asyncio
import dataclasses
import queue
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import faults as bad
from badserver import BadServer, running
from dicomfactory import case
from dicomseries import Case
from volstream import CancelledError, HttpStatusError, UsageError
from volstream.fetch.source import open_source
from volstream.opening import open_on_thread, split_options
from volstream.store.volume import Volume

QUICK: dict[str, Any] = {"attempts": 2, "connect_timeout": 2.0, "stall_timeout": 0.5, "deadline": 10.0}


@pytest.fixture
def series(tmp_path: Path) -> Case:
    return case("plain", tmp_path)


@pytest.fixture
def server(series: Case) -> Iterator[BadServer]:
    with running(BadServer([path.read_bytes() for path in series.files.values()])) as server:
        yield server


def allocated(source: object, **options: Any) -> Volume:
    """A volume that nothing loads yet, as `create_volume` makes it, without the cache."""
    plan, fetch, engine, *_ = split_options({**QUICK, **options})
    return open_on_thread(open_source(source, fetch), plan, engine, None)[0]


def asked(server: BadServer, series: Case) -> list[int]:
    """Which slices the server was asked for, in this order."""
    return [k for request in server.requests for k, uid in enumerate(series.uids) if f"{uid}/frames" in request.target]


def test_they_are_what_loading_would_do_in_its_order(server: BadServer, series: Case) -> None:
    with allocated(server.series_url, connections=1, order="top-down") as volume:
        requests = volume.get_image_load_requests()
        assert [(request.index, request.priority) for request in requests] == [(11 - n, n) for n in range(12)]
        assert [request.image_id for request in requests] == [volume.image_id(11 - n) for n in range(12)]
        with pytest.raises(dataclasses.FrozenInstanceError):
            requests[0].index = 3  # type: ignore[misc]
        assert asked(server, series) == [], "to ask what would be done does nothing"
        volume.load().wait(20)
        assert asked(server, series) == [request.index for request in requests]


def test_a_gap_is_not_requested(tmp_path: Path) -> None:
    made = case("missing", tmp_path / "gap")
    with allocated(made.folder, gaps="fill") as volume:
        assert sorted(request.index for request in volume.get_image_load_requests()) == [*range(5), *range(6, 12)]


@pytest.mark.parametrize("local", [False, True])
def test_only_what_is_requested_is_loaded(server: BadServer, series: Case, local: bool) -> None:
    with allocated(series.folder if local else server.series_url, connections=1) as volume:
        requests = {request.index: request for request in volume.get_image_load_requests()}
        handles = [requests[index].load() for index in (7, 2, 9)]
        for handle in handles:
            assert handle.wait(20) is volume
            assert handle.done
        volume.wait(slices=[2, 7, 9], timeout=20)
        assert np.flatnonzero(volume.states).tolist() == [2, 7, 9]
        while volume.segment.activity == "loading":
            volume.segment.wait_change(volume.segment.sequence, 0.05)
        assert volume.segment.activity == "idle"
        assert not volume.complete
        assert not volume.ended
        assert asked(server, series) == ([] if local else [7, 2, 9]), "in the order of the requests"
        volume.load().wait(20)
        np.testing.assert_array_equal(volume.array, series.array)
        assert sorted(asked(server, series)) == ([] if local else list(range(12))), "each once"
        assert requests[0].load().wait(20) is volume


def test_the_last_request_completes_the_volume(server: BadServer, series: Case) -> None:
    called: queue.Queue[tuple[int, int]] = queue.Queue()
    with allocated(server.series_url) as volume:
        requests = volume.get_image_load_requests()
        random.Random(3).shuffle(requests)
        for request in requests:
            request.load().add_done_callback(lambda volume, i=request.index: called.put((i, int(volume.states[i]))))
        volume.wait(timeout=20)
        assert sorted(called.get(timeout=20) for _ in range(12)) == [(i, 8) for i in range(12)]
        for _ in volume.events(timeout=20):
            pass
        np.testing.assert_array_equal(volume.array, series.array)


def test_a_request_joins_a_load_of_everything_and_comes_next(server: BadServer, series: Case) -> None:
    server.misbehave(bad.changed(delay=0.02))
    with allocated(server.series_url, connections=1, order="top-down") as volume:
        volume.load()
        volume.wait(slices=[11], timeout=20)
        volume.load([1]).wait(20)
        assert volume.states[0] == 0
        volume.wait(timeout=20)
        assert len(asked(server, series)) == 12
        assert asked(server, series).index(1) < 5


def test_a_load_of_everything_joins_requests(server: BadServer, series: Case) -> None:
    server.misbehave(bad.changed(delay=0.02))
    with allocated(server.series_url, connections=2) as volume:
        volume.load([3])
        volume.load().wait(20)
        assert sorted(asked(server, series)) == list(range(12))


def test_a_request_that_fails_says_so_to_those_who_wait_for_it(server: BadServer, series: Case) -> None:
    server.misbehave(bad.status(404), path=f"{series.uids[4]}/frames/", times=1)
    with allocated(server.series_url) as volume:
        good, bad_one = volume.load([3]), volume.load([4])
        good.wait(20)
        with pytest.raises(HttpStatusError):
            bad_one.wait(20)
        assert bad_one.done
        volume.retry_failed().wait(20)  # and everything else with it
        np.testing.assert_array_equal(volume.array, series.array)


def test_cancelling_forgets_requests(server: BadServer, series: Case) -> None:
    server.misbehave(bad.changed(delay=3600), path=f"({'|'.join(series.uids[5:9])})/frames/")
    with allocated(server.series_url, connections=2) as volume:
        handle = volume.load(range(5, 9))
        volume.cancel()
        with pytest.raises(CancelledError):
            handle.wait(20)
        assert volume.segment.activity == "cancelled"
        volume.load([0, 1]).wait(20)
        assert np.flatnonzero(volume.states).tolist() == [0, 1]
        assert not {5, 6, 7, 8} & set(asked(server, series)[-2:])


def test_nothing_and_gaps_are_there_at_once(tmp_path: Path) -> None:
    made = case("missing", tmp_path / "gap")
    called: queue.Queue[int] = queue.Queue()
    with allocated(made.folder, gaps="fill") as volume:
        volume.load([]).wait(20)
        volume.load([]).add_done_callback(lambda volume: called.put(1))
        volume.load([5]).add_done_callback(lambda volume: called.put(2))
        assert sorted(called.get(timeout=20) for _ in range(2)) == [1, 2]
        for wrong in ([12], [-1]):
            with pytest.raises(UsageError):
                volume.load(wrong)


def test_under_asyncio_two_volumes_are_merged(server: BadServer, series: Case, tmp_path: Path) -> None:
    async def main() -> None:
        pair = [allocated(server.series_url), allocated(series.folder)]
        try:
            merged = [each for both in zip(*(v.get_image_load_requests() for v in pair), strict=True) for each in both]
            await asyncio.gather(*(asyncio.ensure_future(_awaited(request.load())) for request in merged))
            for volume in pair:
                np.testing.assert_array_equal(volume.array, series.array)
        finally:
            for volume in pair:
                await asyncio.to_thread(volume.close)

    async def _awaited(handle: Any) -> None:
        await handle

    asyncio.run(main())


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(
            st.sampled_from([("cancel",), ("all",), ("retry",)]),
            st.tuples(st.just("load"), st.lists(st.integers(0, 11), max_size=3)),
            st.tuples(st.just("wait"), st.integers(0, 11)),
        ),
        max_size=12,
    ),
    st.sampled_from(["full", "sparse", "auto"]),
    st.booleans(),
)
def test_whatever_is_requested_what_comes_is_right(
    server: BadServer, series: Case, actions: list[Any], stages: str, local: bool
) -> None:
    wanted: set[int] = set()
    with allocated(series.folder if local else server.series_url, connections=2, stages=stages) as volume:
        for action, *arguments in actions:
            if action == "load":
                volume.load(*arguments)
                wanted |= set(*arguments)
            elif action == "cancel":
                volume.cancel()
                wanted = set()
            elif action == "wait":
                if arguments[0] in wanted:
                    volume.wait(slices=arguments, timeout=20)
            else:
                volume.load() if action == "all" else volume.retry_failed()
                wanted = set(range(12))
        if wanted:
            volume.wait(slices=wanted, timeout=20)
        there = volume.states == 8
        np.testing.assert_array_equal(volume.array[there], series.array[there])
        volume.load().wait(20)
        np.testing.assert_array_equal(volume.array, series.array)
