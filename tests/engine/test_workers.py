"""Threads and child processes give the same voxels; a process that dies costs a frame a retry, never the load."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from volstream._native import DecodeQueue
from volstream.engine import child as child_module
from volstream.engine.agenda import Agenda
from volstream.engine.chains import Chains
from volstream.engine.children import ChildPool, pool
from volstream.engine.decode import task_of
from volstream.engine.decoding import Decoding
from volstream.engine.placing import Job, Placer
from volstream.engine.workers import Workers, default_workers
from volstream.errors import DamagedError, DecoderCrashedError, UnsupportedError, UsageError, ValueRangeError
from volstream.fetch.source import Want
from volstream.plan.stages import FULL_ONLY
from volstream.records import IDENTITY, Payload, PixelFormat, Rescale
from volstream.store.segment import Segment
from volstream.store.states import FULL
from volstream.syntaxes import EXPLICIT

from .conftest import COLUMNS, ROWS, frame, pixels, plan_of

Make = Callable[[Any], Segment]


def job(index: int, data: bytes | None = None, syntax: str = EXPLICIT) -> Job:
    payload = Payload(pixels(index).tobytes() if data is None else data, syntax)
    return Job(Want(index, frame(index)), payload, IDENTITY)


def run(segment: Segment, jobs: list[Job], *, count: int | None = None, executor: Any = "threads") -> dict[int, Any]:
    """The error of each, None where there is none."""
    results: dict[int, Any] = {}

    async def main() -> None:
        over = asyncio.Event()
        loop = asyncio.get_running_loop()

        def tell(job: Job, error: Any) -> None:
            results[job.want.index] = error
            if len(results) == len(jobs):
                loop.call_soon_threadsafe(over.set)

        agenda, chains = Agenda([]), Chains(segment, 1, FULL_ONLY)
        with contextlib.closing(Placer(segment, executor)) as placer:
            decoding = Decoding(placer, (), 1, agenda, chains, count, tell, lambda under_way: True)
            for one in jobs:
                decoding.put(one)
            await over.wait()
            decoding.stop()
            assert await decoding.stopped() == []

    asyncio.run(main())
    return results


@pytest.mark.parametrize("executor", ["threads", "processes"])
@pytest.mark.parametrize("count", [1, 3])
def test_every_frame_lands_in_its_place(segment: Make, executor: str, count: int) -> None:
    volume = segment(plan_of(20))
    results = run(volume, [job(i) for i in range(20)], executor=executor, count=count)
    for i in range(20):
        np.testing.assert_array_equal(volume.array[i], pixels(i))
        assert results[i] is None
        assert volume.ranges[i].tolist() == [pixels(i).min(), pixels(i).max()]
    assert (volume.states == FULL).all()


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_a_damaged_frame_is_an_error_that_names_it(segment: Make, executor: str) -> None:
    results = run(segment(plan_of(3)), [job(0), job(1, b"short"), job(2)], executor=executor)
    error = results[1]
    assert isinstance(error, DamagedError)
    assert (error.uid, error.index, error.address) == ("1.2.1", 1, "wadors:1")
    assert results[0] is results[2] is None


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_a_frame_that_fails_half_way_leaves_no_trace(segment: Make, executor: str) -> None:
    half = PixelFormat(ROWS, COLUMNS, 16, 16, 15, 0)
    stored = np.zeros((ROWS, COLUMNS), np.uint16)
    stored[-1, -1] = 40000  # beyond int16, and found in the last row
    volume = segment(plan_of(1))
    one = Job(Want(0, replace(frame(0), pixel=half)), Payload(stored.tobytes(), EXPLICIT), Rescale(1, 5))
    results = run(volume, [one], executor=executor)
    assert isinstance(results[0], ValueRangeError)
    assert not volume.array.any()
    assert volume.states.tolist() == [0]


def test_an_unknown_transfer_syntax_is_named(segment: Make) -> None:
    results = run(segment(plan_of(1)), [job(0, syntax="1.2.3.4")])
    assert isinstance(results[0], UnsupportedError)
    assert "1.2.3.4" in str(results[0])


def test_a_child_that_is_killed_is_replaced(segment: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = segment(plan_of(2))
    run(volume, [job(0)], executor="processes", count=1)
    (idle,) = pool._idle
    os.kill(idle.pid, signal.SIGKILL)
    monkeypatch.setattr(type(idle), "alive", property(lambda self: True))  # it dies between the look and the use
    results = run(volume, [job(1)], executor="processes", count=1)
    assert results[1] is None
    np.testing.assert_array_equal(volume.array[1], pixels(1))


def test_a_frame_that_kills_its_child_twice_is_a_named_error(segment: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    kill = (
        child_module._START.replace("serve(int(sys.argv[1]))", "")
        .rstrip("; ")
        .replace(
            "from volstream.engine.child import serve", "import os, time; time.sleep(0.2); os.kill(os.getpid(), 11)"
        )
    )
    monkeypatch.setattr(child_module, "_START", kill)
    volume = segment(plan_of(1))
    results = run(volume, [job(0)], executor="processes", count=1)
    assert isinstance(results[0], DecoderCrashedError)
    assert "SIGSEGV" in str(results[0])
    assert results[0].index == 0


def test_a_child_that_takes_too_long_is_killed(segment: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_module, "TIME_LIMIT", 0.2)
    monkeypatch.setattr(child_module, "_START", "import time; time.sleep(60)")
    volume = segment(plan_of(1))
    with pytest.raises(DecoderCrashedError, match="more than"):
        ChildPool().run(volume.name, 0, task_of(frame(0), job(0).payload, IDENTITY, 0, "int16"))


def test_an_idle_child_does_not_keep_a_volume_in_memory(segment: Make) -> None:
    volume = segment(plan_of(1))
    run(volume, [job(0)], executor="processes", count=1)
    (child,) = pool._idle
    maps = Path(f"/proc/{child.pid}/maps")
    if not maps.exists():
        pytest.skip("no /proc to look into")
    end = time.monotonic() + 10
    while volume.name.strip("/") in maps.read_text():
        assert time.monotonic() < end, "still mapped"
        time.sleep(0.01)


def test_wrong_use_is_refused(segment: Make) -> None:
    volume = segment(plan_of(1))
    with pytest.raises(UsageError):
        Placer(volume, "greenlets")  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        Workers(DecodeQueue(), lambda finished: None, 0)


def test_default_is_one_worker_a_core() -> None:
    assert 1 <= default_workers() <= (os.cpu_count() or 1)
