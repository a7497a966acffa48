"""Runs volstream, a few others and the bounds at each value of each axis."""

from __future__ import annotations

from ..journal import Journal
from ..loaders import all_loaders, why_missing
from ..scenarios.process import Case, Turns, bounds_of, served
from ..series import Catalogue, NoEncoderError, Size
from ..servers import NotInstalledError
from .table import Axis, axes


def run_scaling(names: list[str], *, size: Size, turns: Turns, catalogue: Catalogue, journal: Journal) -> None:
    for axis in axes():
        if axis.name in names:
            try:
                _along(axis, size, turns, catalogue, journal)
            except (NotInstalledError, NoEncoderError) as error:
                journal.skip(f"scaling: {axis.name}", axis.syntax, None, str(error))


def _along(axis: Axis, size: Size, turns: Turns, catalogue: Catalogue, journal: Journal) -> None:
    known = {loader.name: loader for loader in all_loaders()}
    for name in axis.others:
        if reason := why_missing(known[name]):
            journal.skip(f"scaling: {axis.name}", axis.syntax, name, reason)
    others = [known[name] for name in axis.others if not why_missing(known[name])]
    journal.write({"kind": "axis", "name": axis.name, "title": axis.title})
    for value in axis.values:
        if axis.counts_slices and value > size.small:
            continue
        scenario = axis.scenario(value)
        sized = size._replace(small=int(value)) if axis.counts_slices else size
        series = [catalogue.get(kind, axis.syntax, sized) for kind in scenario.kinds]
        with served(scenario, series) as urls:
            case = Case(scenario, axis.syntax, series, urls)
            own = known["volstream"]._replace(options={"load": axis.options(value)})
            candidates = [own, *others, *bounds_of(case)]
            for name, result in turns.take(case, candidates, f"{axis.title}: {value:g}"):
                if "error" in result:
                    journal.skip(f"scaling: {axis.name}", axis.syntax, f"{name} at {value:g}", result["error"])
                    continue
                seconds = result["seconds"] if "seconds" in result else result["marks"]["complete"]
                line = {"kind": "scaling", "axis": axis.name, "value": value, "loader": name, "round": result["round"]}
                journal.write({**line, "seconds": seconds, "verdict": result.get("verdict", "")})
