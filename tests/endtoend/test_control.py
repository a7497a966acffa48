"""Streaming control by the public names: callbacks, events, cancel, retry, several volumes, several processes."""

from __future__ import annotations

import asyncio
import itertools
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import faults as bad
import volstream
from badserver import BadServer, running
from dicomfactory import case
from dicomseries import Case
from volstream import CancelledError, SegmentError
from volstream.engine.decoding import Decoding
from volstream.engine.placing import Placer
from volstream.store.reaper import reap
from volstream.store.states import FULL

QUICK: dict[str, Any] = {"attempts": 1, "connect_timeout": 2.0, "stall_timeout": 5.0, "deadline": 20.0}


@pytest.fixture
def series(tmp_path: Path) -> Case:
    return case("plain", tmp_path / "series")


def serving(made: Case) -> BadServer:
    return BadServer([path.read_bytes() for path in made.files.values()])


@pytest.fixture
def server(series: Case) -> Iterator[BadServer]:
    with running(serving(series)) as server:
        yield server


def asked(server: BadServer, made: Case) -> list[int]:
    return [k for request in server.requests for k, uid in enumerate(made.uids) if f"{uid}/frames" in request.target]


def eventually(condition: Callable[[], bool], what: str) -> None:
    pause = threading.Event()
    for _ in range(2000):
        if condition():
            return
        pause.wait(0.005)
    pytest.fail(what)


# Callbacks


@pytest.mark.parametrize("end", ["complete", "failed", "cancelled", "closed"])
def test_every_callback_is_called_once_however_the_load_ends(end: str, server: BadServer, series: Case) -> None:
    called: queue.Queue[int] = queue.Queue()
    if end == "failed":
        server.misbehave(bad.status(404), path=f"{series.uids[4]}/frames/")
    elif end != "complete":
        server.misbehave(bad.changed(delay=3600), path=f"({'|'.join(series.uids[2:6])})/frames/")
    with volstream.open(server.series_url, **QUICK) as volume:
        for number in range(3):
            volume.load().add_done_callback(lambda volume, number=number: called.put(number))
        handle = volume.load()
        volume.wait(0.5, timeout=20)
        handle.add_done_callback(lambda volume: called.put(3))
        handle.add_done_callback(lambda volume: called.put(4))
        if end == "cancelled":
            volume.cancel()
        elif end == "closed":
            volume.close()
        assert sorted(called.get(timeout=20) for _ in range(5)) == list(range(5))
        assert handle.done
        if end != "closed":
            handle.add_done_callback(lambda volume: called.put(5))
            assert called.get(timeout=20) == 5
    assert called.empty()


def test_a_callback_that_raises_does_not_concern_the_others(series: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    raised: queue.Queue[Any] = queue.Queue()
    called: queue.Queue[int] = queue.Queue()
    monkeypatch.setattr(threading, "excepthook", raised.put)
    with volstream.open(series.folder) as volume:
        handle = volume.load()
        handle.add_done_callback(lambda volume: 1 / 0)
        handle.add_done_callback(lambda volume: called.put(1))
        assert called.get(timeout=20) == 1
        assert raised.get(timeout=20).exc_type is ZeroDivisionError
        np.testing.assert_array_equal(handle.wait(20).array, series.array)


def test_loading_what_is_complete_is_over_at_once(server: BadServer, series: Case) -> None:
    called: queue.Queue[int] = queue.Queue()
    with volstream.open(server.series_url, **QUICK) as volume:
        volume.wait(timeout=20)
        before = len(server.requests)
        handle = volume.load()
        assert handle.done
        assert handle.wait(0) is volume
        handle.add_done_callback(lambda volume: called.put(1))
        assert called.get(timeout=20) == 1
        assert len(list(volume.events())) == 12
        eventually(lambda: volume.segment.activity == "complete", "it says so again")
    assert len(server.requests) == before


# Events


def test_events_of_time_points_say_where(tmp_path: Path) -> None:
    made = case("time_points", tmp_path)
    with volstream.open(made.folder, order=8) as volume:
        events = list(volume.events(timeout=20))
    assert sorted(event.index for event in events) == list(range(12))
    for event in events:
        t, k = divmod(event.index, 6)
        assert event.extent == ((t, t + 1), (k, k + 1), (0, 24), (0, 32))
        assert event.image_id == f"dicomfile:{made.files[made.uids[event.index]]}"


def test_a_slow_consumer_holds_nothing_up_and_nothing_grows(server: BadServer, series: Case) -> None:
    with volstream.open(server.series_url, stages="sparse", **QUICK) as volume:
        events = volume.events()
        next(events)  # and then nobody looks for as long as the load takes
        volume.wait(timeout=20)
        assert len(events._ready) <= 12
        rest = list(events)
        assert max(Counter(event.index for event in rest).values()) <= 2
        assert {event.index: event.state for event in itertools.chain(rest, volume.events())} == dict.fromkeys(
            range(12), FULL
        )


# Cancel and retry


WAYS = pytest.mark.parametrize(("stages", "under_way"), [("full", 3), ("auto", 1)])


def held(series: Case, under_way: int) -> str:
    """All frames; but for the first, where more than one is to be under way: it tells of the server and the link."""
    first = series.uids[6] if under_way > 1 else "none"
    return f"({'|'.join(uid for uid in series.uids if uid != first)})/frames/"


@WAYS
def test_cancel_aborts_connections(server: BadServer, series: Case, stages: str, under_way: int) -> None:
    """The server sees them close while it still has hours to send."""
    server.misbehave(bad.changed(chunk=1, drip=0.05), path=held(series, under_way))
    with volstream.open(server.series_url, connections=3, stages=stages, **QUICK) as volume:
        eventually(lambda: server.busy == under_way, "they are under way")
        volume.cancel()
        with pytest.raises(CancelledError):
            volume.wait(timeout=20)
        eventually(lambda: server.busy == 0, "the connections are still open")
        assert server.count() == under_way + (under_way > 1)
        assert server.most_busy == under_way
        server._rules.clear()
        volume.load().wait(20)
        np.testing.assert_array_equal(volume.array, series.array)


@WAYS
def test_cancelled_under_asyncio_nothing_is_left_on_the_loop(
    server: BadServer, series: Case, stages: str, under_way: int
) -> None:
    server.misbehave(bad.changed(delay=3600), path=held(series, under_way))

    async def main() -> None:
        before = asyncio.all_tasks()
        async with volstream.open(server.series_url, connections=3, stages=stages, **QUICK) as volume:
            await asyncio.to_thread(eventually, lambda: server.busy == under_way, "they are under way")
            volume.cancel()
            with pytest.raises(CancelledError):
                await volume.wait_async(timeout=20)
            assert len(asyncio.all_tasks() - before) <= 1, "the load's own, which has said that it ends"
        assert asyncio.all_tasks() == before

    asyncio.run(main())


@pytest.mark.parametrize("local", [True, False])
def test_cancelled_no_decode_is_begun_that_waited(
    local: bool, server: BadServer, series: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = queue.Queue[int](), threading.Event()
    place, stop = Placer.place, Decoding.stop

    def waiting_place(self: Placer, job: Any) -> Any:
        begun.put(job.want.index)
        assert go_on.wait(20)
        return place(self, job)

    def telling_stop(self: Decoding) -> None:
        stop(self)
        go_on.set()

    monkeypatch.setattr(Placer, "core_spec", lambda self, job: None)
    monkeypatch.setattr(Placer, "place", waiting_place)
    monkeypatch.setattr(Decoding, "stop", telling_stop)
    source = series.folder if local else server.series_url
    with volstream.open(source, workers=2, stages="full", **QUICK) as volume:
        first = {begun.get(timeout=20) for _ in range(2)}
        volume.cancel()
        with pytest.raises(CancelledError):
            volume.wait(timeout=20)
        assert begun.empty()
        assert set(np.flatnonzero(volume.states).tolist()) == first
        volume.load().wait(20)
        np.testing.assert_array_equal(volume.array, series.array)


@pytest.mark.parametrize("stages", ["full", "sparse"])
def test_retrying_asks_for_what_failed_alone(server: BadServer, series: Case, stages: str) -> None:
    broken = f"({series.uids[2]}|{series.uids[9]})/frames/"
    server.misbehave(bad.status(404), path=broken)
    with volstream.open(server.series_url, stages=stages, **QUICK) as volume:
        list(volume.events(timeout=20))
        assert sorted(volume.errors) == [2, 9]
        server._rules.clear()
        before = len(asked(server, series))
        assert volume.retry_failed().wait(20).complete
        assert sorted(asked(server, series)[before:]) == [2, 9]
        assert not volume.errors
        np.testing.assert_array_equal(volume.array, series.array)


def test_what_failed_is_retried_while_the_rest_still_loads(server: BadServer, series: Case) -> None:
    server.misbehave(bad.status(404), path=f"{series.uids[11]}/frames/", times=1)
    server.misbehave(bad.changed(delay=0.02))
    with volstream.open(server.series_url, connections=1, order="top-down", **QUICK) as volume:
        for event in volume.events(timeout=20):
            if event.state == 255:
                break
        volume.retry_failed().wait(20)
        np.testing.assert_array_equal(volume.array, series.array)
        assert not volume.errors
    assert Counter(asked(server, series)) == Counter([11, *range(12)])


# Several volumes, several processes


def test_two_volumes_of_one_server_load_side_by_side_within_its_limit(tmp_path: Path) -> None:
    made = [case(name, tmp_path / name) for name in ("plain", "pet")]
    servers = BadServer([path.read_bytes() for each in made for path in each.files.values()])
    servers.misbehave(bad.changed(delay=0.01))
    with running(servers) as server:
        urls = [f"{server.origin}/dicom-web/studies/{one.study}/series/{one.series}" for one in _first(server, made)]
        with (
            volstream.open(urls[0], connections=2, stages="full", **QUICK) as ct,
            volstream.open(urls[1], connections=2, stages="full", **QUICK) as pet,
        ):
            for volume, each in zip((ct, pet), made, strict=True):
                volume.wait(timeout=30)
                np.testing.assert_array_equal(volume.array, each.array)
        frames = [request.target for request in server.requests if "/frames/" in request.target]
        which = [0 if any(uid in target for uid in made[0].uids) else 1 for target in frames]
        assert server.most_busy <= 2
    assert sorted(which) == [0] * 12 + [1] * 12
    start = which.index(1)  # the second had to fetch its headers first
    together = which[start : start + 2 * (12 - start)]
    ahead = [together[:n].count(0) - together[:n].count(1) for n in range(len(together))]
    assert max(map(abs, ahead)) <= 4, "each in turn, but for the slots that it holds"


def _first(server: BadServer, made: list[Case]) -> list[Any]:
    return [server.instances[each.uids[0]] for each in made]


@pytest.mark.parametrize("goal", ["fraction=1.0", "slices=[3]", "quality=1", "slices=[3], quality=6"])
def test_who_waits_in_another_process_hears_of_the_owners_death(goal: str, server: BadServer, series: Case) -> None:
    server.misbehave(bad.changed(delay=3600), path=f"{series.uids[3]}/frames/")
    program = (
        "import sys, volstream\n"
        "volume = volstream.open(sys.argv[1], stages='full')\n"
        "volume.wait(slices=[0, 11])\n"
        "print(volume.name, flush=True)\n"
        "volume.wait()\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", program, server.series_url], stdout=subprocess.PIPE, text=True)
    try:
        assert owner.stdout is not None
        with volstream.attach(owner.stdout.readline().strip()) as volume:
            timer = threading.Timer(0.05, os.kill, (owner.pid, signal.SIGKILL))
            timer.start()
            with pytest.raises(SegmentError):
                eval(f"volume.wait({goal}, timeout=30)")
            timer.join()
            assert volume.ended
            there = volume.states == FULL
            assert there[0]
            np.testing.assert_array_equal(volume.array[there], series.array[there])
            assert {event.index for event in volume.events()} == set(np.flatnonzero(there))
            assert volume.wait(slices=[0, 11])
    finally:
        owner.kill()
        owner.communicate()
        reap()


def test_another_process_waits_for_coverage_and_slices(server: BadServer, series: Case) -> None:
    program = (
        "import sys, volstream\n"
        "with volstream.attach(sys.argv[1]) as volume:\n"
        "    print('here', flush=True)\n"
        "    volume.wait(slices=[0, 6, 11], timeout=30)\n"
        "    volume.wait(quality=1, timeout=30)\n"
        "    assert volume.states.all()\n"
        "    volume.wait(timeout=30)\n"
        "    print(len(list(volume.events())), volume.complete)\n"
    )
    server.misbehave(bad.changed(delay=0.02))
    with volstream.open(server.series_url, connections=1, stages="sparse", **QUICK) as volume:
        other = subprocess.run([sys.executable, "-c", program, volume.name], capture_output=True, text=True, check=True)
        assert other.stdout.split() == ["here", "12", "True"]


def test_prioritized_during_coverage_a_slice_is_whole_before_others_have_a_preview(
    server: BadServer, series: Case
) -> None:
    server.misbehave(bad.changed(delay=0.02))
    with volstream.open(server.series_url, connections=1, stages="sparse", order="top-down", **QUICK) as volume:
        volume.wait(1e-9, timeout=20)
        before = len(asked(server, series))
        volume.prioritize([1, 8, 1])
        volume.wait(slices=[1, 8], timeout=20)
        later = asked(server, series)[before : before + 3]
        assert {1, 8} <= set(later)
        volume.prioritize([])
        volume.wait(timeout=20)
        np.testing.assert_array_equal(volume.array, series.array)
