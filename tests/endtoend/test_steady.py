"""Many loads in a row leave the process as it was: memory, descriptors, threads."""

from __future__ import annotations

import gc
import threading
from pathlib import Path

import numpy as np
import pytest

import volstream
from volstream.samples import write_series
from volstream.server.background import serve

LOADS = 200


def resident() -> int:
    """Bytes of memory that are this process's own."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["RssAnon"].split()[0]) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc to look into")
def test_two_hundred_loads_in_a_row(tmp_path: Path) -> None:
    truth = write_series(tmp_path, slices=8, rows=64, columns=64)

    def load(source: object) -> None:
        with volstream.load(source) as volume:
            np.testing.assert_array_equal(volume.array, truth.array)

    def loads(count: int) -> tuple[int, int, int]:
        """What the process has after so many: memory, descriptors, threads."""
        with serve(tmp_path) as server:
            for number in range(count):
                load((tmp_path, server.series[0])[number % 2])
        gc.collect()
        return resident(), len(list(Path("/proc/self/fd").iterdir())), threading.active_count()

    before = loads(LOADS // 2)
    after = loads(LOADS)
    assert after[1:] == before[1:]
    assert after[0] - before[0] < LOADS * truth.array.nbytes // 2  # allocators settle late; a volume a load would show
