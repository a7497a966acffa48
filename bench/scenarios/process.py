"""One measurement: a loader or a bound in a process of its own, on a series that is ready for it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ..journal import Journal
from ..loaders.child import Loader
from ..machine import cores
from ..series import Series
from ..servers.nginx import nginx
from ..servers.orthanc import orthanc
from ..servers.throttle import throttled
from .table import Scenario

#: Seconds after which a loader is given up.
PATIENCE = 300
#: A loader, or the name of a bound.
Candidate = Loader | str


class Case(NamedTuple):
    """A scenario with its series, ready to be loaded."""

    scenario: Scenario
    syntax: str
    series: list[Series]
    #: Of each series, where there is a server.
    urls: list[str]

    def job(self, loader: Loader | None) -> dict[str, Any]:
        sources: list[dict[str, str]] = []
        for index, series in enumerate(self.series):
            source = {"truth": str(series.truth)}
            if self.urls:
                source["url"] = self.urls[index]
            if loader is None or not self.urls:  # a bound may look at the files, a loader only where it reads them
                source["folder"] = str(series.folder)
            sources.append(source)
        return {
            "sources": sources,
            "tolerance": max(series.tolerance for series in self.series),
            "transfer_syntax": self.series[0].transfer_syntax,
            "cores": cores(),
            "options": dict(loader.options) if loader else {},
        }


@contextlib.contextmanager
def served(scenario: Scenario, series: Sequence[Series]) -> Iterator[list[str]]:
    """The URLs at which the series can be had as long as the block lasts; none for a folder."""
    with contextlib.ExitStack() as stack:
        if scenario.server is None:
            urls = []
        elif scenario.server == "orthanc":
            server = stack.enter_context(orthanc())
            urls = [url for one in series for url in server.store(one.folder)]
        else:
            urls = [stack.enter_context(nginx(one.folder))[0] for one in series]
        if scenario.link:
            urls = [_throttle(stack, url, *scenario.link) for url in urls]
        yield urls


def _throttle(stack: contextlib.ExitStack, url: str, rate: float, latency: float) -> str:
    parts = urlsplit(url)
    link = stack.enter_context(throttled(str(parts.hostname), parts.port or 80, rate=rate, latency=latency))
    return url.replace(parts.netloc, f"127.0.0.1:{link.port}")


class Turns:
    """Candidates take turns, so that a slow minute of the machine hits all alike. The first time that one is met, it
    runs once more than counts, so that neither its bytecode nor the system's libraries are new."""

    def __init__(self, rounds: int, journal: Journal) -> None:
        self._rounds, self._journal = rounds, journal
        self._met: set[tuple[str, bool]] = set()

    def take(self, case: Case, candidates: Sequence[Candidate], title: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """(name, result) of each run; one that ends with an error is not run again."""
        left = list(candidates)
        for turn in range(self._rounds):
            for candidate in _rotated(left, turn):
                name = name_of(candidate)
                self._journal.progress(f"{title}: {name}", turn + 1, self._rounds)
                result = self._run(candidate, case)
                if "error" in result:
                    left.remove(candidate)
                yield name, {"round": turn + 1, **result}

    def _run(self, candidate: Candidate, case: Case) -> dict[str, Any]:
        key = (name_of(candidate), bool(case.urls))
        if self._rounds > 1 and key not in self._met:  # a single round is a look, not a measurement
            self._met.add(key)
            child(candidate, case)
        page_cache(case)
        return child(candidate, case)


def bounds_of(case: Case) -> tuple[str, ...]:
    return ("decode", "transfer", "series") if case.urls else ("decode", "pread")


def name_of(candidate: Candidate) -> str:
    return candidate if isinstance(candidate, str) else candidate.name


def _rotated(candidates: list[Candidate], turn: int) -> list[Candidate]:
    """Each round begins with the next, so that none always follows the same other."""
    first = turn % len(candidates) if candidates else 0
    return candidates[first:] + candidates[:first]


def child(candidate: Candidate, case: Case) -> dict[str, Any]:
    bound = isinstance(candidate, str)
    command = ["-m", "volstream.bench.bounds", candidate] if bound else ["-m", candidate.module]
    try:
        run = subprocess.run(
            [sys.executable, *command],
            input=json.dumps(case.job(None if bound else candidate)),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"not done after {PATIENCE} s"}
    lines = [line for line in run.stdout.splitlines() if line.startswith("{")]
    if not lines:
        said = run.stderr.strip().splitlines()
        return {"error": f"exit status {run.returncode}: {said[-1][:300] if said else ''}"}
    return dict(json.loads(lines[-1]))


def page_cache(case: Case) -> None:
    """All files are in the page cache before each run, or none."""
    for series in case.series:
        for path in series.folder.iterdir():
            descriptor = os.open(path, os.O_RDONLY)
            try:
                if case.scenario.cold:
                    os.fsync(descriptor)  # what is still to be written stays
                    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                else:
                    while os.read(descriptor, 1 << 20):
                        pass
            finally:
                os.close(descriptor)
