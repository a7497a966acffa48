"""Times each part; and, where time is too noisy, counts its instructions (valgrind's callgrind).

python -m volstream.bench.micro.run NAME TIMES SLICES ROWS DATA     does one part's work so often, for callgrind
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ..journal import Journal
from ..loaders.child import program
from ..series import Catalogue, Size
from ..timing import interleaved
from .table import Micro, micros

#: One timing lasts at least so long, that neither the clock nor a wake-up counts.
AT_LEAST = 0.02


def run_micro(catalogue: Catalogue, size: Size, rounds: int, journal: Journal, *, instructions: bool = False) -> None:
    parts = list(micros(catalogue, size))
    times = {part.name: _often_enough(part) for part in parts}
    for number, part in enumerate(parts):
        journal.progress(f"micro: {part.name}", number + 1, len(parts))
        repeat = times[part.name]

        def work(part: Micro = part, repeat: int = repeat) -> None:
            for _ in range(repeat):
                part.run()

        seconds = [value / repeat for value in interleaved({part.name: work}, rounds)[part.name]]
        line = {"kind": "micro", "name": part.name, "item": part.item, "items": part.items, "bytes": part.bytes}
        journal.write({**line, "seconds": seconds})
    if instructions:
        for number, part in enumerate(parts):
            journal.progress(f"instructions: {part.name}", number + 1, len(parts))
            _count(part, catalogue, size, journal)


def _often_enough(part: Micro) -> int:
    part.run()
    begin = time.perf_counter()
    part.run()
    return 1 + int(AT_LEAST / (time.perf_counter() - begin))


def _count(part: Micro, catalogue: Catalogue, size: Size, journal: Journal) -> None:
    """What a second turn takes: all that comes before is in both counts."""
    if (valgrind := program("valgrind")) is None:
        journal.skip("micro", None, "instructions", "valgrind is not installed")
        return
    counts = [_callgrind(valgrind, part.name, times, catalogue, size) for times in (1, 3)]
    if None in counts:
        journal.skip("micro", None, f"instructions of {part.name}", "valgrind ended without a count")
        return
    first, third = counts
    assert first is not None
    assert third is not None
    line = {"kind": "instructions", "name": part.name, "item": part.item, "items": part.items}
    journal.write({**line, "count": (third - first) // 2})


def _callgrind(valgrind: str, name: str, times: int, catalogue: Catalogue, size: Size) -> int | None:
    with tempfile.TemporaryDirectory() as folder:
        tool = [valgrind, "--tool=callgrind", f"--callgrind-out-file={folder}/out"]
        work = ["-m", __spec__.name, name, str(times), str(size.slices), str(size.rows), str(catalogue.folder)]
        run = subprocess.run(
            [*tool, sys.executable, *work],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONMALLOC": "malloc"},
        )
    found = re.search(r"Collected\s*:\s*(\d+)", run.stderr)
    return int(found[1]) if found and run.returncode == 0 else None


if __name__ == "__main__":
    _name, _times, _slices, _rows, _data = sys.argv[1:]
    _parts = micros(Catalogue(Path(_data)), Size(int(_slices), int(_rows)))
    _part = next(part for part in _parts if part.name == _name)
    for _ in range(int(_times)):
        _part.run()
