"""What Cornerstone3D 5.8.2 gets wrong in order, control and accounting, one test each; defects 1 to 9 of 20.

10 to 19 are in `test_anchor_numbers` and `test_anchor_ranges`, but for those of the cache (10) and of SUV (13, 20),
which are with the tests of the cache and of PET.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import faults as bad
import volstream
from badserver import BadServer, running
from dicomfactory import case
from dicomseries import Case, plain, write
from volstream import CancelledError, HttpStatusError
from volstream import syntaxes as ts
from volstream.samples import available_syntaxes, write_series

QUICK: dict[str, Any] = {"attempts": 2, "connect_timeout": 2.0, "stall_timeout": 5.0, "deadline": 20.0}


def serving(made: Case) -> BadServer:
    return BadServer([path.read_bytes() for path in made.files.values()])


def asked(server: BadServer, made: Case) -> list[int]:
    """Which slices the server was asked for, in this order."""
    return [k for request in server.requests for k, uid in enumerate(made.uids) if f"{uid}/frames" in request.target]


@pytest.fixture
def four(tmp_path: Path) -> Case:
    """Slices a, b, c, d, in the syntax that can be had by resolution."""
    if ts.HTJ2K_RPCL not in available_syntaxes():
        pytest.skip("no encoder for HTJ2K is installed")
    series = plain(count=4)
    series.transfer_syntax = ts.HTJ2K_RPCL
    return write(series, tmp_path / "four")


@pytest.fixture
def server(four: Case) -> Iterator[BadServer]:
    with running(serving(four)) as server:
        yield server


def until(server: BadServer, condition: Callable[[], bool], volume: volstream.Volume) -> None:
    """The server comes to see it."""
    for _ in range(2000):
        if condition():
            return
        volume.segment.wait_change(volume.segment.sequence, 0.01)
    pytest.fail("the server never saw it")


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("top-down", [3, 2, 1, 0]),
        ("centre-out", [2, 3, 1, 0]),
        ("interleaved", [2, 0, 3, 1]),
        (0, [0, 1, 2, 3]),
        ([1, 3], [1, 3, 0, 2]),
    ],
)
def test_defect_01_the_order_is_the_policys(server: BadServer, four: Case, order: Any, expected: list[int]) -> None:
    """a b c d was always fetched d c b a; now the caller decides."""
    volstream.load(server.series_url, connections=1, order=order, **QUICK).close()
    assert asked(server, four) == expected


def test_defect_02_the_time_point_that_is_looked_at_comes_first(tmp_path: Path) -> None:
    """Of three groups the active one came last; now it comes first, and the others after it."""
    series = plain(count=6)
    series.time_points = 3
    for n, each in enumerate(series.slices):
        t, k = divmod(n, 2)
        each.image.ImagePositionPatient = series.slices[k].image.ImagePositionPatient
        each.image.TemporalPositionIdentifier, each.image.NumberOfTemporalPositions = t + 1, 3
    made = write(series, tmp_path)
    with running(serving(made)) as server:
        with volstream.load(server.series_url, connections=1, order=2, **QUICK) as volume:  # slice 0 of the second
            np.testing.assert_array_equal(volume.array, made.array)
        assert asked(server, made) == [2, 3, 0, 1, 4, 5]


def test_defect_03_every_callback_is_called(server: BadServer) -> None:
    """A callback given while the load ran was lost; now each is called once, however early or late it came."""
    server.misbehave(bad.changed(delay=0.02))
    called: queue.Queue[tuple[str, bool]] = queue.Queue()
    with volstream.open(server.series_url, connections=1, **QUICK) as volume:
        for name in ("at the start", "meanwhile"):
            volume.load().add_done_callback(lambda volume, name=name: called.put((name, volume.complete)))
            volume.wait(1e-9, timeout=20)
        volume.wait(timeout=20)
        volume.load().add_done_callback(lambda volume: called.put(("afterwards", volume.complete)))
        got = sorted(called.get(timeout=20) for _ in range(3))
    assert got == [("afterwards", True), ("at the start", True), ("meanwhile", True)]
    assert called.empty()


def test_defect_04_a_cancelled_load_goes_on(server: BadServer, four: Case) -> None:
    """load, cancel, load never completed; now it resumes, and fetches what is missing only."""
    hold = {"delay": 3600}
    server.misbehave(lambda q, r: r.__dict__.update(hold if len(asked(server, four)) > 2 else {}))
    with volstream.open(server.series_url, connections=1, stages="full", **QUICK) as volume:
        volume.wait(0.5, timeout=20)
        until(server, lambda: len(asked(server, four)) == 3, volume)
        volume.cancel()
        with pytest.raises(CancelledError):
            volume.wait(timeout=20)
        hold.clear()
        assert volume.load().wait(20).complete
        np.testing.assert_array_equal(volume.array, four.array)
    assert asked(server, four) == [2, 3, 1, 1, 0], "once more only what was under way"


@pytest.mark.parametrize("stages", ["full", "coverage", "interleaved", "sparse"])
def test_defect_05_cancelled_nothing_more_is_fetched(server: BadServer, four: Case, stages: str) -> None:
    """With retrieve stages all slices were still fetched after a cancel; now none is that was not under way."""
    server.misbehave(bad.changed(delay=3600))
    with volstream.open(server.series_url, connections=1, stages=stages, **QUICK) as volume:
        until(server, lambda: server.count() > 0, volume)
        volume.cancel()
        with pytest.raises(CancelledError):
            volume.wait(timeout=20)
        assert server.count() == 1
        assert volume.states.tolist() == [0] * 4
    assert server.count() == 1


def test_defect_06_an_error_names_its_slice(server: BadServer, four: Case) -> None:
    """The event of b's failure had the index as its imageId, and no index; now both are right, and so is the error."""
    server.misbehave(bad.status(404), path=f"{four.uids[1]}/frames/")
    with volstream.open(server.series_url, **QUICK) as volume:
        (failed,) = [event for event in volume.events(timeout=20) if event.state == 255]
        image_id = f"wadors:{server.frame_url(four.uids[1])}"
        assert (failed.index, failed.image_id) == (1, image_id)
        error = volume.errors[1]
        assert (error.index, error.uid, error.address) == (1, four.uids[1], image_id.partition(":")[2])


@pytest.mark.parametrize("stages", ["coverage", "interleaved", "sparse"])
def test_defect_07_a_failure_is_told_once_and_the_end_after_all_slices(
    server: BadServer, four: Case, stages: str
) -> None:
    """a's failure counted twice, so "completed" came before another slice; now it is one event, and the end is last."""
    server.misbehave(bad.status(404), path=f"{four.uids[0]}/frames/")
    server.misbehave(bad.changed(delay=0.1), path=f"{four.uids[3]}/frames/")
    called: queue.Queue[list[int]] = queue.Queue()
    with volstream.open(server.series_url, stages=stages, **QUICK) as volume:
        volume.load().add_done_callback(lambda volume: called.put(volume.states.tolist()))
        failures = [event.index for event in volume.events(timeout=20) if event.state == 255]
        assert failures == [0]
        assert volume.states.tolist() == [255, 8, 8, 8]
        assert volume.progress == (3, 1, 4)
        assert called.get(timeout=20) == [255, 8, 8, 8]
        assert list(volume.errors) == [0]
        with pytest.raises(HttpStatusError):
            volume.wait(timeout=0)


@pytest.mark.parametrize("stages", ["full", "coverage", "auto"])
@pytest.mark.parametrize("syntax", [ts.JPEG_BASELINE, ts.JPEG_2000, ts.JPEG_LS_NEAR])
def test_defect_08_a_series_that_is_only_there_lossy_loads(syntax: str, stages: str, tmp_path: Path) -> None:
    """4 errors and framesLoaded 0 where the final quality was lossy; now the best that exists is all that is wanted."""
    if syntax not in available_syntaxes():
        pytest.skip("no encoder for it is installed")
    truth = write_series(tmp_path, slices=4, rows=64, columns=64, transfer_syntax=syntax)
    server = BadServer([path.read_bytes() for path in truth.files])
    with running(server), volstream.open(server.series_url, stages=stages, **QUICK) as volume:
        volume.load().wait(20)
        assert volume.progress == (4, 0, 4)
        assert not volume.errors
        assert np.abs(volume.array.astype(float) - truth.array).max() <= truth.tolerance


@pytest.mark.parametrize("stages", ["full", "sparse"])
def test_defect_09_looking_at_another_time_point_meanwhile_completes(stages: str, tmp_path: Path) -> None:
    """Another group shown during the load: it never ended, no callback came; now that group is next, and all comes."""
    made = case("time_points", tmp_path)
    called: queue.Queue[tuple[int, int, int]] = queue.Queue()
    server = serving(made)
    server.misbehave(bad.changed(delay=0.02))
    with running(server), volstream.open(server.series_url, connections=1, stages=stages, **QUICK) as volume:
        volume.load().add_done_callback(lambda volume: called.put(tuple(volume.progress)))
        volume.wait(slices=[3], timeout=20)
        before = len(asked(server, made))
        volume.prioritize(range(6, 12))  # the second time point
        volume.wait(slices=range(6, 12), timeout=20)
        assert set(asked(server, made)[before + 1 : before + 6]) <= set(range(6, 12))
        volume.wait(timeout=20)
        assert called.get(timeout=20) == (12, 0, 12)
        np.testing.assert_array_equal(volume.array, made.array)
