"""A loader's process: reads its job, loads by the clock, checks what came out, prints one line (PROTOCOL.md)."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import resource
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

Job = dict[str, Any]


class Loader(NamedTuple):
    """A row of the table: what the report calls it, the module that runs it, what it reads and needs."""

    name: str
    module: str
    sources: tuple[str, ...] = ("folder",)
    needs: tuple[str, ...] = ()
    options: Mapping[str, Any] = MappingProxyType({})
    #: None, or why it cannot run here, where `needs` cannot say it.
    missing: Callable[[], str | None] | None = None
    #: Distributions whose versions the report states; where empty, those of `needs`.
    packages: tuple[str, ...] = ()
    #: Transfer syntaxes it is run with; all if empty. For one decoder of several, whose others have rows of their own.
    syntaxes: tuple[str, ...] = ()


class Source(NamedTuple):
    """What one volume is loaded from: a folder, or a DICOMweb series; and on how many cores."""

    folder: str | None
    url: str | None
    transfer_syntax: str
    cores: int

    @property
    def files(self) -> list[str]:
        assert self.folder is not None
        return [entry.path for entry in sorted(os.scandir(self.folder), key=lambda entry: entry.name)]

    @property
    def parts(self) -> tuple[str, str, str]:
        """Root, Study and Series Instance UID of the URL."""
        assert self.url is not None
        root, _, rest = self.url.partition("/studies/")
        study, _, series = rest.partition("/series/")
        return root, study, series


MARKS = ("headers", "first", "coverage", "half", "complete")


class Clock:
    """Marks of one volume. The first call of each counts."""

    def __init__(self, usage: Usage | None = None) -> None:
        self.begin = time.perf_counter()
        self.marks: dict[str, float] = {}
        self._usage = usage

    def mark(self, name: str) -> None:
        self.marks.setdefault(name, time.perf_counter() - self.begin)

    def slice(self, done: int, total: int) -> None:
        """`done` of `total` slices are there at full quality; for a loader that shows no coarse ones before."""
        self.mark("first")
        if 2 * done >= total:
            self.mark("half")
        if done == total:
            self.mark("coverage")

    def processes(self) -> None:
        """Before processes that were started end: what they needed is part of the peak."""
        if self._usage:
            self._usage.look()

    def outside(self, size: int) -> None:
        """Bytes held in shared memory, whoever has touched them: they count once."""
        if self._usage:
            self._usage.shared += size


class Usage:
    """CPU seconds and peak memory of this process and of those below it, from here on."""

    def __init__(self) -> None:
        self._cpu = self._cpu_so_far()
        self._children: dict[int, int] = {}
        self.shared = 0

    @staticmethod
    def _cpu_so_far() -> float:
        own, waited = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
        return own.ru_utime + own.ru_stime + waited.ru_utime + waited.ru_stime

    def look(self) -> None:
        for pid in descendants(os.getpid()):
            with contextlib.suppress(OSError, KeyError):
                self._children[pid] = max(self._children.get(pid, 0), status(pid)["VmHWM"])

    @property
    def cpu_seconds(self) -> float:
        """Children count once they have been waited for."""
        return self._cpu_so_far() - self._cpu

    @property
    def peak_bytes(self) -> int:
        own = status(os.getpid())
        seen = sum(self._children.values()) or resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        if self.shared:  # whole, and not what this process happens to have mapped of it
            return own["VmHWM"] - own.get("RssShmem", 0) + seen + self.shared
        return own["VmHWM"] + seen


def program(name: str) -> str | None:
    """Where a program is: beside this interpreter, on the path, or among those for administrators."""
    return shutil.which(name, path=os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin")))


def status(pid: int) -> dict[str, int]:
    """The sizes in /proc/PID/status, in bytes; empty elsewhere than on Linux."""
    path = Path(f"/proc/{pid}/status")
    if not path.exists():
        return {"VmHWM": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024} if pid == os.getpid() else {}
    rows = (line.split(":", 1) for line in path.read_text().splitlines())
    return {key: int(value.split()[0]) * 1024 for key, value in rows if value.endswith(" kB")}


def descendants(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, task.read_text().split()):
                yield child
                yield from descendants(child)


def judge(array: np.ndarray, truth: str, tolerance: float) -> dict[str, Any]:
    """The verdict on an array. Compared slice by slice, so that checking needs little memory."""
    expected = np.load(truth, mmap_mode="r")
    result: dict[str, Any] = {"dtype": str(array.dtype), "shape": list(array.shape)}
    if array.shape != expected.shape:
        return {**result, "verdict": "wrong", "why": f"shape, not {expected.shape}"}
    error = largest = 0.0
    for index in np.ndindex(expected.shape[:-2]):
        if np.array_equal(array[index], expected[index]):
            largest = max(largest, abs(float(expected[index].min())), abs(float(expected[index].max())))
            continue
        a, b = (np.asarray(values[index], np.float64) for values in (array, expected))
        if not np.isfinite(a).all():
            return {**result, "verdict": "wrong", "why": "values that are not finite"}
        error, largest = max(error, float(np.abs(a - b).max())), max(largest, float(np.abs(b).max()))
    bound = max(tolerance, 1e-5 * largest if array.dtype.kind == "f" else 0.0)
    verdict = "exact" if error == 0 else "close" if error <= bound else "wrong"
    return {**result, "verdict": verdict} | ({"why": f"off by up to {error:.6g}"} if error else {})


def worst(arrays: Sequence[np.ndarray], job: Job) -> dict[str, Any]:
    """The verdict on all volumes of a job."""
    pairs = zip(arrays, job["sources"], strict=True)
    verdicts = [judge(array, source["truth"], job["tolerance"]) for array, source in pairs]
    return max(verdicts, key=lambda verdict: ("exact", "close", "wrong").index(verdict["verdict"]))


def child(
    load: Callable[[Source, Clock, dict[str, Any]], np.ndarray], prepare: Callable[[Job], Any] | None = None
) -> None:
    answer(functools.partial(_run, load, prepare))


def answer(run: Callable[[Job], dict[str, Any]]) -> None:
    """Print what `run` makes of the job, or that it failed."""
    job: Job = json.load(sys.stdin)
    try:
        result = run(job)
    except Exception as error:
        text = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        result = {"error": text[:300]}
    print(json.dumps(result), flush=True)


def _run(load: Callable[..., np.ndarray], prepare: Callable[[Job], Any] | None, job: Job) -> dict[str, Any]:
    begin = time.perf_counter()
    if prepare:
        prepare(job)
    imports = time.perf_counter() - begin
    sources = [
        Source(source.get("folder"), source.get("url"), job["transfer_syntax"], job["cores"])
        for source in job["sources"]
    ]
    base = status(os.getpid())["VmHWM"]
    usage = Usage()
    clocks = [Clock(usage) for _ in sources]
    if len(sources) == 1:
        arrays = [load(sources[0], clocks[0], job["options"])]
    else:
        with ThreadPoolExecutor(len(sources)) as pool:
            arrays = list(pool.map(lambda pair: load(*pair, job["options"]), zip(sources, clocks, strict=True)))
    for clock in clocks:
        clock.mark("complete")
    result = {
        "marks": {name: _last([clock.marks.get(name) for clock in clocks]) for name in MARKS},
        "cpu_seconds": usage.cpu_seconds,
        "peak_bytes": usage.peak_bytes,
        "base_bytes": base,
        "imports": imports,
        "threads": threading.active_count(),
    }
    return result | worst(arrays, job)


def _last(marks: list[float | None]) -> float | None:
    known = [mark for mark in marks if mark is not None]
    return max(known) if len(known) == len(marks) else None
