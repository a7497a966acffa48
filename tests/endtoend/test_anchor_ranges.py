"""What Cornerstone3D 5.8.2 gets wrong with byte ranges, one test each; defects 18 and 19 of 20."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import faults as bad
import volstream
from badserver import BadServer, Reply, Request, running
from volstream import HttpStatusError
from volstream import syntaxes as ts
from volstream.samples import available_syntaxes, write_series
from volstream.samples.series import Truth

QUICK: dict[str, Any] = {"attempts": 2, "connect_timeout": 2.0, "stall_timeout": 2.0, "deadline": 20.0}


@pytest.fixture
def truth(tmp_path: Path) -> Truth:
    if ts.HTJ2K_RPCL not in available_syntaxes():
        pytest.skip("no encoder for HTJ2K is installed")
    return write_series(tmp_path, slices=4, rows=96, columns=80, transfer_syntax=ts.HTJ2K_RPCL)


@pytest.fixture
def server(truth: Truth) -> Iterator[BadServer]:
    with running(BadServer([path.read_bytes() for path in truth.files])) as server:
        yield server


@pytest.mark.parametrize("stages", ["coverage", "interleaved"])
def test_defect_18_an_error_page_is_no_image(server: BadServer, truth: Truth, stages: str) -> None:
    """A range that was answered 404 made its 9 bytes of text the image, at full quality; now the slice has failed."""
    server.misbehave(bad.status(404, "not found"), path=f"{truth.uids[1]}/frames/")
    with volstream.open(server.series_url, stages=stages, **QUICK) as volume:
        seen = [event.state for event in volume.events(timeout=20) if event.index == 1 and event.state >= 6]
        assert seen == [255]
        assert isinstance(volume.errors[1], HttpStatusError)
        assert volume.errors[1].status == 404
        assert volume.progress == (3, 1, 4)
        assert (volume.array[1] == volume.metadata["fill"]).all()


def is_rest(request: Request) -> bool:
    return not request.headers.get("range", "bytes=0-").startswith("bytes=0-")


def whole_for_the_second(request: Request, reply: Reply) -> None:
    reply.ranges = not is_rest(request)


def test_defect_19_a_whole_answer_to_the_second_range_is_not_appended(server: BadServer, truth: Truth) -> None:
    """200 with the whole body instead of the rest made 400 000 bytes of a frame of 200 000; now it is the frame."""
    server.misbehave(whole_for_the_second)
    with volstream.open(server.series_url, stages="coverage", **QUICK) as volume:
        volume.wait(timeout=20)
        np.testing.assert_array_equal(volume.array, truth.array)
        assert not volume.errors
    assert any(is_rest(request) for request in server.requests), "some were asked for by the rest, and came whole"
