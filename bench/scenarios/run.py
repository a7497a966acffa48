"""Runs loaders and bounds in turn, each in a process of its own, and writes down what each said."""

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
from ..loaders import why_missing
from ..loaders.child import Loader
from ..machine import cores
from ..series import Catalogue, Series, Size
from ..series.real import real_series
from ..servers.nginx import nginx
from ..servers.orthanc import orthanc
from ..servers.throttle import throttled
from .table import NOT_SERVED, Scenario

#: Seconds after which a loader is given up.
PATIENCE = 300


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


def run_scenario(
    scenario: Scenario,
    syntaxes: Sequence[str],
    loaders: Sequence[Loader],
    *,
    size: Size,
    rounds: int,
    catalogue: Catalogue,
    journal: Journal,
) -> None:
    if scenario.kinds == ("real",):
        found = real_series(catalogue)
        if not found:
            journal.skip(scenario.name, None, None, "VOLSTREAM_TEST_DATA is not set, or names no stack of files")
        for series in found:
            _measure(Case(scenario, series.name, [series], []), loaders, rounds, journal)
        return
    for syntax in syntaxes:
        if reason := NOT_SERVED.get(scenario.server or "", {}).get(syntax):
            journal.skip(scenario.name, syntax, None, reason)
            continue
        try:
            series = [catalogue.get(kind, syntax, size) for kind in scenario.kinds]
            with served(scenario, series) as urls:
                _measure(Case(scenario, syntax, series, urls), loaders, rounds, journal)
        except (FileNotFoundError, ValueError) as error:  # no such server here, or no encoder
            journal.skip(scenario.name, syntax, None, str(error))


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


def _measure(case: Case, loaders: Sequence[Loader], rounds: int, journal: Journal) -> None:
    """One round that does not count, then `rounds`; each begins with the next candidate, so that none always follows
    the same other."""
    scenario, syntax = case.scenario.name, case.syntax
    source = "url" if case.urls else "folder"
    candidates: list[Loader | str] = ["decode", *(("transfer", "series") if case.urls else ("pread",))]
    for loader in loaders:
        if source not in loader.sources or (loader.syntaxes and case.series[0].transfer_syntax not in loader.syntaxes):
            continue
        if reason := why_missing(loader):
            journal.skip(scenario, syntax, loader.name, reason)
        else:
            candidates.append(loader)
    journal.write(
        {
            "kind": "case",
            "scenario": scenario,
            "title": case.scenario.title,
            "syntax": syntax,
            "shape": case.series[0].shape,
            "volumes": len(case.series),
            "volume_bytes": sum(series.volume_bytes for series in case.series),
            "encoded_bytes": sum(series.encoded_bytes for series in case.series),
        }
    )
    for turn in range(rounds + 1):
        for candidate in rotated(candidates, turn):
            name = candidate if isinstance(candidate, str) else candidate.name
            journal.progress(f"{scenario}, {syntax}: {name}", turn, rounds)
            page_cache(case)
            result = child(candidate, case)
            line = {"kind": "bound" if name is candidate else "run", "scenario": scenario, "syntax": syntax}
            if "error" in result:
                candidates = [other for other in candidates if other is not candidate]
                journal.skip(scenario, syntax, name, result["error"])
            elif turn:
                journal.write({**line, "loader": name, "round": turn, **result})


def rotated(candidates: list[Any], turn: int) -> list[Any]:
    first = turn % len(candidates)
    return candidates[first:] + candidates[:first]


def child(candidate: Loader | str, case: Case) -> dict[str, Any]:
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
