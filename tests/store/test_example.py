"""The example in the docs maps a live volume without volstream."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from volstream.store.segment import Segment
from volstream.store.states import FAILED, FULL

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "map_segment.py"


@pytest.fixture
def segment():
    with Segment.create((2, 3, 5, 4), "int16", {"units": "HU"}, slices=6, fill=-1024) as segment:
        segment.array[...] = np.arange(120).reshape(2, 3, 5, 4) - 60
        segment.publish(1, FULL, -40, -21)
        with closing(segment.writer()) as writer:
            writer.fail(4)
        segment.publish(4, FAILED)
        yield segment


def test_it_reads_the_same(segment):
    array, states, ranges, metadata, live = runpy.run_path(str(EXAMPLE))["map_segment"](segment.name)
    np.testing.assert_array_equal(array, segment.array)
    np.testing.assert_array_equal(states, segment.states)
    np.testing.assert_array_equal(ranges, segment.ranges)
    assert metadata == segment.metadata
    assert live.tolist() == [segment.sequence, 0, *segment.counters]
    segment.array[0, 0] = 7
    segment.publish(0, FULL, 7, 7)
    assert array[0, 0].min() == 7, "it is live"
    assert states[0] == FULL
    assert not array.flags.writeable


def test_it_runs_where_volstream_is_not(segment, tmp_path):
    """Only the directory that numpy lies in is on the path, and volstream is hidden from it."""
    (tmp_path / "volstream.py").write_text("raise ImportError('the example must not need it')")
    (tmp_path / "sitecustomize.py").write_text("")
    numpy_home = Path(np.__file__).parents[1]
    result = subprocess.run(
        [sys.executable, str(EXAMPLE), segment.name],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(numpy_home)])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.splitlines() == ["(2, 3, 5, 4) int16 HU: 1 of 6 slices, 1 failed", "1 -40.0 -21.0"]
    assert segment.owner_alive
