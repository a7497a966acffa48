"""Volumes that get better while they load: what is seen on the way says what it is, in the end all is exact."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import faults as bad
import volstream
from badserver import BadServer, Request, running
from volstream import syntaxes as ts
from volstream.errors import CancelledError, DamagedError, HttpStatusError, SourceError
from volstream.plan.stages import Stage
from volstream.samples import available_syntaxes, write_series
from volstream.store.states import FAILED

QUICK: dict[str, Any] = {"attempts": 2, "connect_timeout": 2.0, "stall_timeout": 0.5, "deadline": 10.0}
SLICES = 9


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Any:
    if ts.HTJ2K_RPCL not in available_syntaxes():
        pytest.skip("no encoder for HTJ2K is installed")
    folder = tmp_path_factory.mktemp("htj2k")
    return write_series(folder, slices=SLICES, rows=96, columns=80, transfer_syntax=ts.HTJ2K_RPCL)


@pytest.fixture
def server(truth: Any) -> BadServer:
    return BadServer([path.read_bytes() for path in truth.files])


def ranges_of(server: BadServer) -> dict[str, list[tuple[int, int | None]]]:
    """The byte ranges asked for of each frame; a plain request counts as all of it."""
    found: dict[str, list[tuple[int, int | None]]] = {}
    for request in server.requests:
        if "/frames/" in request.target:
            match = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
            wanted = (int(match[1]), int(match[2]) + 1 if match[2] else None) if match else (0, None)
            found.setdefault(request.target, []).append(wanted)
    return found


def follow_each_other(ranges: list[tuple[int, int | None]]) -> bool:
    return all(stop == start for (_, stop), (start, _) in itertools.pairwise(ranges))


def hold_the_rest(server: BadServer) -> None:
    """Answer the first range of a frame at once, and what follows never."""

    def fault(request: Request, reply: Any) -> None:
        if not re.match(r"bytes=0-\d", request.headers.get("range", "")):
            reply.delay = 3600

    server.misbehave(fault)


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_everything_at_low_resolution_then_everything(server: BadServer, truth: Any, executor: Any) -> None:
    seen: dict[int, list[int]] = {}
    options = {"stages": "coverage", "executor": executor, "connections": 1, **QUICK}
    with running(server), volstream.open(server.series_url, **options) as volume:
        for event in volume.events(timeout=20):
            seen.setdefault(event.index, []).append(event.state)
        np.testing.assert_array_equal(volume.array, truth.array)
    assert all(states[-1] == 8 and states == sorted(states) and set(states) <= {6, 8} for states in seen.values())
    ranges = ranges_of(server)
    assert len(ranges) == SLICES
    assert all(len(each) <= 2 and follow_each_other(each) for each in ranges.values())
    order = [
        ("bytes=0-" in request.headers.get("range", "")) for request in server.requests if "/frames/" in request.target
    ]
    assert order == [True] * SLICES + [False] * SLICES, "coverage first"


def test_what_is_seen_first_is_the_image_smaller(server: BadServer, truth: Any) -> None:
    hold_the_rest(server)
    with running(server), volstream.open(server.series_url, stages="coverage", **QUICK) as volume:
        volume.wait(quality=6, timeout=20)
        assert volume.states.tolist() == [6] * SLICES
        assert not volume.complete
        assert volume.progress == (0, 0, SLICES)
        assert np.isnan(volume.range).all(), "statistics do not take approximate voxels for final ones"
        with pytest.raises(TimeoutError):
            volume.wait(timeout=0)
        coarse = truth.array[:, ::8, ::8].astype(float)
        spread = float(truth.array.std())
        assert np.abs(volume.array[:, ::8, ::8] - coarse).mean() < 0.35 * spread


def test_folders_progress_in_the_same_way(truth: Any) -> None:
    with volstream.open(truth.files[0].parent, stages="coverage", workers=1) as volume:
        states = [(event.index, event.state) for event in volume.events(timeout=20)]
        np.testing.assert_array_equal(volume.array, truth.array)
    assert {state for _, state in states} <= {6, 8}
    assert [state for _, state in states].count(8) == SLICES


@pytest.mark.parametrize(
    "spoil",
    [
        lambda server: server.misbehave(bad.changed(ranges=False)),
        lambda server: server.misbehave(lambda q, r: bad.status(416)(q, r) if "range" in q.headers else None),
        lambda server: server.misbehave(
            lambda q, r: (
                bad.changed(ranges=False)(q, r) if not q.headers.get("range", "").startswith("bytes=0-") else None
            )
        ),
        lambda server: server.misbehave(bad.other_range(lambda start, stop: (start, (stop or 1 << 30) - 7))),
    ],
    ids=["ignores ranges", "416", "second range ignored", "another range"],
)
def test_whatever_a_server_does_with_ranges_the_voxels_are_exact(
    server: BadServer, truth: Any, spoil: Callable[[BadServer], None]
) -> None:
    spoil(server)
    with running(server), volstream.open(server.series_url, stages="coverage", **QUICK) as volume:
        volume.wait(timeout=30)
        np.testing.assert_array_equal(volume.array, truth.array)


def test_a_preview_that_fails_is_no_failure(server: BadServer, truth: Any) -> None:
    def no_ranges(request: Request, reply: Any) -> None:
        if request.headers.get("range", "").startswith("bytes=0-"):
            bad.status(404)(request, reply)

    server.misbehave(no_ranges)
    with running(server), volstream.open(server.series_url, stages="coverage", **QUICK) as volume:
        volume.wait(timeout=30)
        np.testing.assert_array_equal(volume.array, truth.array)
        assert not volume.errors


def test_a_slice_whose_rest_never_comes_has_failed(server: BadServer, truth: Any) -> None:
    def rest(request: Request, reply: Any) -> None:
        if truth.uids[3] in request.target and not request.headers.get("range", "").startswith("bytes=0-"):
            bad.status(404, "gone")(request, reply)

    server.misbehave(rest)
    with running(server), volstream.open(server.series_url, stages="coverage", **QUICK) as volume:
        events = [event.index for event in volume.events(timeout=30) if event.state == 255]
        assert events == [3], "told once, after what came before"
        assert isinstance(volume.errors[3], HttpStatusError)
        assert volume.progress == (SLICES - 1, 1, SLICES)
        assert (volume.array[3] == volume.metadata["fill"]).all()


@pytest.mark.parametrize("stages", ["coverage", (Stage(reduce=2),)])
@pytest.mark.parametrize("fate", ["gone", "cut short"])
def test_a_file_lost_after_its_header_was_read_fails_alone(tmp_path: Path, stages: Any, fate: str) -> None:
    if ts.HTJ2K_RPCL not in available_syntaxes():
        pytest.skip("no encoder for HTJ2K is installed")
    truth = write_series(tmp_path, slices=5, rows=64, columns=64, transfer_syntax=ts.HTJ2K_RPCL)
    with volstream.create_volume("test:lost", tmp_path, stages=stages) as volume:
        lost = truth.files[2]
        if fate == "gone":
            lost.unlink()
        else:
            lost.write_bytes(lost.read_bytes()[:1100])
        volume.load()
        assert [event.index for event in volume.events(timeout=30) if event.state == FAILED] == [2]
        with pytest.raises((SourceError, DamagedError), match=re.escape(str(lost))):
            volume.wait(timeout=30)
        assert volume.errors.keys() == {2}
        if stages == "coverage":
            np.testing.assert_array_equal(np.delete(volume.array, 2, 0), np.delete(truth.array, 2, 0))


def test_a_lower_resolution_can_be_all_that_is_wanted(server: BadServer, truth: Any) -> None:
    with running(server), volstream.open(server.series_url, stages=(Stage(reduce=2),), **QUICK) as volume:
        loading = volume.load()
        loading.wait(20)
        assert volume.complete
        assert volume.states.tolist() == [6] * SLICES
        assert volume.quality == 6
        with volstream.attach(volume.name) as other:
            assert other.complete
    assert all(len(each) == 1 for each in ranges_of(server).values())


def test_cancelled_and_resumed_no_byte_comes_twice(server: BadServer, truth: Any) -> None:
    """What was held of frames that were not whole is used again."""
    hold_the_rest(server)
    with running(server), volstream.open(server.series_url, stages="coverage", connections=2, **QUICK) as volume:
        volume.wait(quality=6, timeout=20)
        volume.cancel()
        with pytest.raises(CancelledError):
            volume.wait(timeout=20)
        assert volume.states.tolist() == [6] * SLICES
        begun = len(server.requests)
        server._rules.clear()
        volume.load().wait(20)
        np.testing.assert_array_equal(volume.array, truth.array)
    later = [request for request in server.requests[begun:] if "/frames/" in request.target]
    assert len(later) == SLICES
    assert not any(request.headers.get("range", "bytes=0-").startswith("bytes=0-") for request in later)


def test_between_slices_far_apart_others_are_made_up(tmp_path: Path) -> None:
    truth = write_series(tmp_path, slices=17, rows=32, columns=24)
    server = BadServer([path.read_bytes() for path in truth.files])
    ends = {truth.uids[0], truth.uids[8], truth.uids[16]}
    server.misbehave(lambda q, r: None if any(uid in q.target for uid in ends) else bad.changed(delay=3600)(q, r))
    with running(server), volstream.open(server.series_url, stages="sparse", **QUICK) as volume:
        volume.wait(quality=1, timeout=20)
        volume.wait(slices=[0, 8, 16], timeout=20)
        assert volume.states.tolist() == [8, *[2] * 7, 8, *[2] * 7, 8] or set(volume.states[1:8]) <= {1, 2, 3}
        if volume.states[4] == 2:
            between = (truth.array[0].astype(float) + truth.array[8]) / 2
            np.testing.assert_allclose(volume.array[4], between, atol=0.5)
        assert volume.progress == (3, 0, 17)
        server._rules.clear()
        volume.cancel()
        volume.load().wait(20)
        np.testing.assert_array_equal(volume.array, truth.array)


@pytest.mark.parametrize("stages", ["full", "coverage", "sparse", "interleaved", "auto"])
def test_every_way_ends_with_the_same_voxels(server: BadServer, truth: Any, stages: str) -> None:
    with running(server), volstream.open(server.series_url, stages=stages, **QUICK) as volume:
        volume.wait(timeout=30)
        np.testing.assert_array_equal(volume.array, truth.array)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(
            st.just(("cancel",)),
            st.just(("load",)),
            st.tuples(st.just("wait"), st.integers(1, 6)),
            st.tuples(st.just("prioritize"), st.lists(st.integers(0, SLICES - 1), max_size=4, unique=True)),
        ),
        max_size=10,
    ),
    st.sampled_from(["full", "coverage", "interleaved"]),
)
def test_whatever_is_done_meanwhile_the_voxels_are_exact_and_little_comes_twice(
    truth: Any, actions: list[Any], stages: str
) -> None:
    server = BadServer([path.read_bytes() for path in truth.files])
    server.misbehave(bad.changed(delay=0.003))
    cancels = 0
    with running(server), volstream.open(server.series_url, stages=stages, connections=2, **QUICK) as volume:
        for action, *arguments in actions:
            if action == "wait":
                for _, _ in zip(range(arguments[0]), volume.events(), strict=False):
                    pass
            else:
                cancels += action == "cancel"
                getattr(volume, action)(*arguments)
        volume.load().wait(30)
        np.testing.assert_array_equal(volume.array, truth.array)
    again = sum(not follow_each_other(each) or each[0][0] != 0 or len(each) > 2 for each in ranges_of(server).values())
    # Only what was under way when a load was cancelled may be asked for once more.
    assert again <= 2 * cancels
