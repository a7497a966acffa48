"""Counts the instructions of a part with valgrind's callgrind, where time is too noisy to compare runs.

python -m volstream.bench.micro.instructions NAME TIMES SLICES ROWS DATA      under callgrind: one part's work
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
from .table import Micro, micros

#: Seconds of work, without valgrind, that are counted: an interpreter's start varies by some million instructions.
WORK = 0.2


def count(part: Micro, catalogue: Catalogue, size: Size, journal: Journal) -> None:
    """How many more instructions a process takes that does the work some times more."""
    if (valgrind := program("valgrind")) is None:
        journal.skip("micro", None, "instructions", "valgrind is not installed")
        return
    begin = time.perf_counter()
    part.run()
    more = 1 + int(WORK / (time.perf_counter() - begin))
    few, many = (_callgrind(valgrind, part.name, times, catalogue, size) for times in (1, 1 + more))
    if few is None or many is None:
        journal.skip("micro", None, f"instructions of {part.name}", "valgrind ended without a count")
        return
    line = {"kind": "instructions", "name": part.name, "item": part.item, "items": part.items}
    journal.write({**line, "count": (many - few) / more})


def _callgrind(valgrind: str, name: str, times: int, catalogue: Catalogue, size: Size) -> int | None:
    with tempfile.TemporaryDirectory() as folder:
        tool = [valgrind, "--tool=callgrind", f"--callgrind-out-file={folder}/out"]
        work = ["-m", __name__, name, str(times), str(size.slices), str(size.rows), str(catalogue.folder)]
        run = subprocess.run(
            [*tool, sys.executable, *work],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )
    found = re.search(r"Collected\s*:\s*(\d+)", run.stderr)
    return int(found[1]) if found and run.returncode == 0 else None


if __name__ == "__main__":
    _name, _times, _slices, _rows, _data = sys.argv[1:]
    _parts = micros(Catalogue(Path(_data)), Size(int(_slices), int(_rows)))
    _part = next(part for part in _parts if part.name == _name)
    for _ in range(int(_times)):
        _part.run()
