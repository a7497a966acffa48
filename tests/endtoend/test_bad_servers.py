"""Whole loads from servers that fail: every end is a named error or a documented policy, and nothing stays behind."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import faults as bad
import volstream
from badserver import BadServer, running
from dicomfactory import case
from dicomseries import Case
from volstream import (
    DamagedError,
    HttpStatusError,
    ProtocolError,
    SourceError,
    TruncatedError,
    VolstreamError,
    syntaxes,
)
from volstream.samples import write_series

#: Impatient, so that the tests are quick.
QUICK: dict[str, Any] = {"attempts": 2, "connect_timeout": 2.0, "stall_timeout": 0.3, "deadline": 5.0}


@pytest.fixture
def series(tmp_path: Path) -> Case:
    return case("plain", tmp_path)


@pytest.fixture
def server(series: Case) -> BadServer:
    return BadServer([path.read_bytes() for path in series.files.values()])


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_a_server_that_behaves(server: BadServer, series: Case, executor: str) -> None:
    with running(server), volstream.load(server.series_url, executor=executor, **QUICK) as volume:
        np.testing.assert_array_equal(volume.array, series.array)


@pytest.mark.parametrize("code", [401, 403, 404, 406, 500])
@pytest.mark.parametrize("share", ["one", "all"])
def test_frames_refused(code: int, share: str, server: BadServer, series: Case) -> None:
    where = f"{series.uids[4]}/frames/|{series.uids[4]}$" if share == "one" else "/frames/|/instances/[0-9.]*$"
    server.misbehave(bad.status(code, "not today"), path=where)
    with running(server):
        with pytest.raises(HttpStatusError) as raised:
            volstream.load(server.series_url, **QUICK)
        assert raised.value.status == code
        assert raised.value.uid in series.uids
        assert raised.value.uid in str(raised.value.address)
        assert len(raised.value.others) == (0 if share == "one" else 11)
        with volstream.load(server.series_url, on_error="fill", **QUICK) as volume:
            failed = [4] if share == "one" else list(range(12))
            assert sorted(volume.errors) == failed
            assert (volume.array[failed] == volume.metadata["fill"]).all()
            there = np.setdiff1d(np.arange(12), failed)
            np.testing.assert_array_equal(volume.array[there], series.array[there])


@pytest.mark.parametrize("code", [401, 403, 404, 500])
def test_metadata_refused(code: int, server: BadServer) -> None:
    server.misbehave(bad.status(code, "no"), path="/")
    with running(server), pytest.raises(HttpStatusError) as raised:
        volstream.load(server.series_url, **QUICK)
    assert raised.value.status == code
    assert raised.value.address


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (bad.changed(cut=100), TruncatedError),
        (bad.changed(cut=100, framing="close"), TruncatedError),
        (bad.changed(closed=False), TruncatedError),
        (bad.changed(cut=100, end="rst"), VolstreamError),
        (bad.changed(cut=100, end="hang"), SourceError),
        (bad.changed(endless=True, framing="close"), ProtocolError),
        (bad.page, ProtocolError),
        (bad.bodies(lambda body: body[:-20]), TruncatedError),
    ],
)
def test_one_frame_that_never_comes_right(
    fault: bad.Fault, kind: type[Exception], server: BadServer, series: Case
) -> None:
    server.misbehave(fault, path=f"{series.uids[7]}/frames/")
    with running(server):
        with pytest.raises(kind) as raised:
            volstream.load(server.series_url, **QUICK)
        assert raised.value.uid == series.uids[7]
        assert raised.value.index == 7


def test_a_codestream_of_another_size_is_damage(tmp_path: Path) -> None:
    truth = write_series(tmp_path / "a", slices=3, rows=32, columns=32, transfer_syntax=syntaxes.JPEG_LOSSLESS_SV1)
    write_series(tmp_path / "b", slices=1, rows=16, columns=32, transfer_syntax=syntaxes.JPEG_LOSSLESS_SV1)
    server = BadServer([path.read_bytes() for path in truth.files])
    other = BadServer([path.read_bytes() for path in (tmp_path / "b").iterdir()])
    (frame,) = next(iter(other.instances.values())).frames
    server.misbehave(bad.bodies(lambda body: frame), path=f"{truth.uids[1]}/frames/")
    with running(server), pytest.raises(DamagedError) as raised:
        volstream.load(server.series_url, **QUICK)
    assert raised.value.uid == truth.uids[1]
    assert server.count(f"{truth.uids[1]}/frames/") >= 2, "damaged frames are fetched once more"


def test_the_server_goes_away_in_the_middle(server: BadServer, series: Case) -> None:
    server.misbehave(bad.changed(delay=0.05), path="/frames/")
    with running(server) as stop_here:
        volume = volstream.open(server.series_url, connections=1, order="top-down", **QUICK)
        volume.wait(slices=[len(series.array) - 1], timeout=20)
    del stop_here
    with volume:
        with pytest.raises(SourceError):
            volume.wait(timeout=30)
        there = volume.states == 8
        np.testing.assert_array_equal(volume.array[there], series.array[there])


def test_closing_in_the_middle_ends_everything(server: BadServer) -> None:
    server.misbehave(bad.changed(cut=100, end="hang"), path="/frames/")
    with running(server):
        before = threading.active_count()
        with volstream.open(server.series_url, connections=4) as volume:
            assert not volume.complete
        end = time.monotonic() + 5
        while threading.active_count() > before and time.monotonic() < end:
            time.sleep(0.01)
        assert threading.active_count() <= before


def test_a_failed_slice_can_be_tried_again(server: BadServer, series: Case) -> None:
    server.misbehave(bad.status(404), path=f"{series.uids[2]}/frames/", times=1)
    with running(server), volstream.open(server.series_url, **QUICK) as volume:
        with pytest.raises(HttpStatusError):
            volume.wait(timeout=30)
        for _ in volume.events():
            pass
        volume.retry_failed()
        volume.wait(timeout=30)
        assert not volume.errors
        np.testing.assert_array_equal(volume.array, series.array)
