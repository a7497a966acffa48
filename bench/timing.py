"""Timing: candidates take turns, so that a slow minute of the machine hits all alike; medians are compared."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

#: What is timed; if it returns something with `close`, that is closed when the clock has stopped.
Candidate = Callable[[], Any]


def interleaved(candidates: Mapping[str, Candidate], rounds: int, warm_up: int = 1) -> dict[str, list[float]]:
    """Wall-clock seconds of each candidate over `rounds` turns, after `warm_up` that do not count."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(warm_up + rounds):
        for name, candidate in candidates.items():
            begin = time.perf_counter()
            result = candidate()
            seconds = time.perf_counter() - begin
            if hasattr(result, "close"):
                result.close()
            del result
            if turn >= warm_up:
                times[name].append(seconds)
    return times


def summary(times: list[float]) -> dict[str, float]:
    return {"median": statistics.median(times), "min": min(times), "max": max(times)}
