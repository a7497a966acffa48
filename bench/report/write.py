"""The report of a run: README.md with the overview, details.md with all columns, plots beside them."""

from __future__ import annotations

from pathlib import Path

from . import plots, tables
from .summary import Lines, cases

_HOW = """\
Seconds until one contiguous array holds every voxel, in order and rescaled; medians of {rounds} interleaved runs, each
in a process of its own, imports not counted. *bound* is the larger of decoding all frames from memory on all cores and
of getting their bytes alone. The best of each column is bold; wrong values take no rank. [All columns](details.md)."""


def write(lines: Lines, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    found = cases(lines)
    about = [text for line in lines if line["kind"] == "machine" for text in tables.machine(line)]
    rounds = max((row.rounds for case in found for row in case.rows), default=0)
    readme = ["# Loaders compared", "", *about, "", _HOW.format(rounds=rounds), "", *tables.overview(found)]
    readme += [*plots.scenarios(found, folder), *plots.scaling(lines, folder)]
    readme += [*tables.micro(lines), *tables.figures(lines), *tables.not_measured(lines)]
    (folder / "README.md").write_text("\n".join(readme).rstrip() + "\n")
    details = ["# Loaders compared: all columns", "", *about, ""]
    for case in found:
        details += tables.case(case)
    (folder / "details.md").write_text("\n".join(details).rstrip() + "\n")
