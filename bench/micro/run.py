"""Times each part; and, where time is too noisy, counts its instructions (valgrind's callgrind).

python -m volstream.bench.micro.run NAME TIMES SLICES ROWS DATA     does one part's work so often, for callgrind
"""

from __future__ import annotations

import time

from ..journal import Journal
from ..series import Catalogue, Size
from ..timing import interleaved
from .instructions import count
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
            count(part, catalogue, size, journal)


def _often_enough(part: Micro) -> int:
    part.run()
    begin = time.perf_counter()
    part.run()
    return 1 + int(AT_LEAST / (time.perf_counter() - begin))
