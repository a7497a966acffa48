"""Runs loaders and bounds in each scenario, and writes down what each said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..journal import Journal
from ..loaders import why_missing
from ..loaders.child import Loader
from ..series import Catalogue, NoEncoderError, Size
from ..series.real import real_series
from ..servers import NotInstalledError
from .process import Candidate, Case, Turns, bounds_of, served
from .table import NOT_SERVED, Scenario


def run_scenario(
    scenario: Scenario,
    syntaxes: Sequence[str],
    loaders: Sequence[Loader],
    *,
    size: Size,
    turns: Turns,
    catalogue: Catalogue,
    journal: Journal,
) -> None:
    if scenario.kinds == ("real",):
        found = real_series(catalogue)
        if not found:
            journal.skip(scenario.name, None, None, "VOLSTREAM_TEST_DATA is not set, or names no stack of files")
        for series in found:
            _measure(Case(scenario, series.name, [series], []), loaders, turns, journal)
        return
    for syntax in syntaxes:
        if reason := NOT_SERVED.get(scenario.server or "", {}).get(syntax):
            journal.skip(scenario.name, syntax, None, reason)
            continue
        try:
            series = [catalogue.get(kind, syntax, size) for kind in scenario.kinds]
            with served(scenario, series) as urls:
                _measure(Case(scenario, syntax, series, urls), loaders, turns, journal)
        except (NotInstalledError, NoEncoderError) as error:
            journal.skip(scenario.name, syntax, None, str(error))


def _measure(case: Case, loaders: Sequence[Loader], turns: Turns, journal: Journal) -> None:
    scenario, syntax = case.scenario.name, case.syntax
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
    bounds = bounds_of(case)
    for name, result in turns.take(case, [*bounds, *_able(case, loaders, journal)], f"{scenario}, {syntax}"):
        if "error" in result:
            journal.skip(scenario, syntax, name, result["error"])
        else:
            kind = "bound" if name in bounds else "run"
            journal.write({"kind": kind, "scenario": scenario, "syntax": syntax, "loader": name, **result})


def _able(case: Case, loaders: Sequence[Loader], journal: Journal) -> Iterator[Candidate]:
    """The loaders that are for such a source and syntax, and are here."""
    source, syntax = "url" if case.urls else "folder", case.series[0].transfer_syntax
    for loader in loaders:
        if source in loader.sources and (not loader.syntaxes or syntax in loader.syntaxes):
            if reason := why_missing(loader):
                journal.skip(case.scenario.name, case.syntax, loader.name, reason)
            else:
                yield loader
