"""Over a link that may be slow the first frame decides how a load goes on; whatever it says, all slices come, once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import faults as bad
import volstream
from badserver import BadServer, running
from volstream import syntaxes as ts
from volstream.engine import staging
from volstream.errors import CancelledError
from volstream.samples import available_syntaxes, write_series

QUICK: dict[str, Any] = {"attempts": 2, "connect_timeout": 2.0, "stall_timeout": 0.5, "deadline": 10.0}


@pytest.fixture(autouse=True)
def every_link_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "PATIENCE", 0.0)


def serve(folder: Path, syntax: str, slices: int = 7) -> tuple[BadServer, Any]:
    if syntax not in available_syntaxes():
        pytest.skip(f"no encoder for {syntax} is installed")
    truth = write_series(folder, slices=slices, rows=192, columns=160, transfer_syntax=syntax)
    return BadServer([path.read_bytes() for path in truth.files]), truth


def frame_requests(server: BadServer) -> list[tuple[str, str]]:
    """(instance, range) of each request for a frame."""
    return [
        (match[1], request.headers.get("range", ""))
        for request in server.requests
        if (match := re.search(r"instances/([0-9.]+)/frames", request.target))
    ]


@pytest.mark.parametrize("slices", [2, 3, 7])
def test_the_beginning_of_the_middle_slice_goes_first_and_alone(tmp_path: Path, slices: int) -> None:
    server, truth = serve(tmp_path, ts.HTJ2K_RPCL, slices)
    with running(server), volstream.open(server.series_url, **QUICK) as volume:
        volume.wait(timeout=30)
        np.testing.assert_array_equal(volume.array, truth.array)
    requests = frame_requests(server)
    first, wanted = requests[0]
    assert first == truth.uids[slices // 2]
    assert wanted.startswith("bytes=0-")
    assert sum(uid == first for uid, _ in requests) <= 2, "its rest is asked for once, and nothing again"
    assert {uid for uid, _ in requests} == set(truth.uids)
    assert all(sum(uid == one for uid, _ in requests) <= 2 for one in truth.uids)


@pytest.mark.parametrize("syntax", [ts.EXPLICIT, ts.RLE, ts.JPEG_LS])
def test_other_codecs_come_whole_and_far_apart(tmp_path: Path, syntax: str) -> None:
    server, truth = serve(tmp_path, syntax, 9)
    with running(server), volstream.open(server.series_url, connections=1, **QUICK) as volume:
        volume.wait(timeout=30)
        np.testing.assert_array_equal(volume.array, truth.array)
    requests = frame_requests(server)
    assert len(requests) == 9
    assert all(wanted == "" for _, wanted in requests)
    assert [uid for uid, _ in requests[:3]] == [truth.uids[k] for k in (4, 8, 0)]


def test_a_first_frame_that_cannot_be_had_fails_alone(tmp_path: Path) -> None:
    server, truth = serve(tmp_path, ts.HTJ2K_RPCL)
    server.misbehave(bad.status(404, "gone"), path=f"{truth.uids[3]}/frames")
    with running(server), volstream.load(server.series_url, on_error="fill", stages="auto", **QUICK) as volume:
        assert list(volume.errors) == [3]
        there = [k for k in range(7) if k != 3]
        np.testing.assert_array_equal(volume.array[there], truth.array[there])


def test_cancelled_while_it_explores(tmp_path: Path) -> None:
    server, truth = serve(tmp_path, ts.HTJ2K_RPCL)
    server.misbehave(bad.changed(delay=3600), times=1)
    with running(server), volstream.open(server.series_url, **QUICK | {"stall_timeout": 30.0}) as volume:
        while not frame_requests(server):
            volume.segment.wait_change(volume.segment.sequence, 0.01)
        volume.cancel()
        with pytest.raises(CancelledError):
            volume.wait(timeout=20)
        volume.load().wait(30)
        np.testing.assert_array_equal(volume.array, truth.array)


def test_a_server_that_knows_no_ranges(tmp_path: Path) -> None:
    server, truth = serve(tmp_path, ts.HTJ2K_RPCL)
    server.misbehave(bad.changed(ranges=False))
    with running(server), volstream.open(server.series_url, **QUICK) as volume:
        volume.wait(timeout=30)
        np.testing.assert_array_equal(volume.array, truth.array)
    assert len(frame_requests(server)) == 7


@pytest.mark.parametrize("syntax", [ts.HTJ2K_RPCL, ts.JPEG_2000_LOSSLESS])
def test_a_folder_whose_codec_takes_long_shows_all_of_it_first(tmp_path: Path, syntax: str) -> None:
    _, truth = serve(tmp_path, syntax)
    with volstream.open(tmp_path, workers=1) as volume:
        events = [(event.index, event.state) for event in volume.events(timeout=30)]
        np.testing.assert_array_equal(volume.array, truth.array)
    assert {state for _, state in events} <= {6, 8}
    assert sum(state == 8 for _, state in events) == 7


def test_a_folder_with_a_damaged_first_frame(tmp_path: Path) -> None:
    _, truth = serve(tmp_path, ts.HTJ2K_RPCL)
    truth.files[3].write_bytes(truth.files[3].read_bytes()[:-2000])
    with volstream.load(tmp_path, on_error="fill", stages="auto") as volume:
        assert list(volume.errors) == [3]
        there = [k for k in range(7) if k != 3]
        np.testing.assert_array_equal(volume.array[there], truth.array[there])
