"""The command line of the suite: what is asked for is measured, written down line by line, and reported."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from . import journal as lines
from .figures.run import run_figures
from .figures.table import FIGURES
from .journal import Journal
from .loaders import all_loaders, why_missing
from .machine import machine
from .micro.run import run_micro
from .report.compare import compare, text
from .report.tables import figures as figures_table
from .report.write import write
from .scaling.run import run_scaling
from .scaling.table import axes
from .scenarios.process import Turns
from .scenarios.run import run_scenario
from .scenarios.table import SCENARIOS
from .series import SYNTAXES, Catalogue, Size

PARTS = {
    "loaders": "volstream beside other loaders, in the scenarios",
    "scaling": "how time grows with slices, workers, connections, latency",
    "micro": "decoders, placing, scanners, metadata, events, each by itself",
    "figures": "the bars the package holds itself to (not unless asked for)",
}
_EPILOG = """\
examples:
  volstream bench --quick                               a few minutes: small series, few rounds
  volstream bench --out docs/benchmarks                 everything, about forty minutes on two cores
  volstream bench loaders --scenarios folder nginx --syntaxes htj2k --loaders volstream SimpleITK
  volstream bench micro --instructions --compare bench-results/results.jsonl
  volstream bench --report bench-results/results.jsonl  tables and plots again

writes results.jsonl, README.md, details.md and plots; exit status 3: something is slower than in the stored run
"""


def main(argv: Sequence[str] | None = None) -> int:
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.list:
        return _list()
    if arguments.report:
        write(lines.read(arguments.report), arguments.out)
        return 0
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    stored = lines.read(arguments.compare) if arguments.compare else None  # it may be the file that is written
    arguments.out.mkdir(parents=True, exist_ok=True)
    journal = Journal(arguments.out / "results.jsonl")
    try:
        _measure(arguments, journal)
    finally:
        journal.close()
        write(journal.lines, arguments.out)
    print("\n".join(figures_table(journal.lines)))
    print(f"report: {arguments.out / 'README.md'}", file=sys.stderr)
    if stored is None:
        return 0
    changes = compare(stored, journal.lines)
    print("\n".join(text(changes)))
    return 3 if any(change.is_worse for change in changes) else 0


def _measure(arguments: argparse.Namespace, journal: Journal) -> None:
    journal.write(machine())
    parts = arguments.parts or ["loaders", "scaling", "micro"]
    quick = arguments.quick
    rounds = arguments.rounds or (1 if quick else 5)
    slices, rows = arguments.slices or (40 if quick else 120), arguments.rows or (256 if quick else 512)
    size = Size(slices, rows, *((slices * 10, rows * 2) if quick else (slices * 25, rows * 6)))
    catalogue, turns = Catalogue(arguments.data, journal.say), Turns(rounds, journal)
    if "loaders" in parts:
        wanted = [loader for loader in all_loaders() if any(word in loader.name for word in arguments.loaders)]
        for name in arguments.scenarios:
            scenario = SCENARIOS[name]
            syntaxes = arguments.syntaxes or scenario.syntaxes
            if quick and not arguments.syntaxes:
                syntaxes = [name for name in syntaxes if name in ("uncompressed", "htj2k")] or syntaxes[:1]
            run_scenario(scenario, syntaxes, wanted, size=size, turns=turns, catalogue=catalogue, journal=journal)
    if "scaling" in parts:
        run_scaling(
            arguments.axes, size=size, turns=Turns(min(rounds, 3), journal), catalogue=catalogue, journal=journal
        )
    if "micro" in parts:
        few = size._replace(slices=min(slices, 16))
        run_micro(catalogue, few, max(rounds, 3), journal, instructions=arguments.instructions)
    if "figures" in parts:
        run_figures(
            arguments.figures,
            slices=arguments.slices or 300,
            rows=arguments.rows or 512,
            rounds=arguments.rounds or 5,
            journal=journal,
        )


def _list() -> int:
    for name, scenario in SCENARIOS.items():
        print(f"scenario  {name:<12} {scenario.title}: {', '.join(scenario.syntaxes) or 'as it is'}")
    for loader in all_loaders():
        reason = why_missing(loader)
        print(f"loader    {loader.name}{f' - {reason}' if reason else ''}")
    print("\n".join(f"axis      {axis.name:<12} {axis.title}" for axis in axes()))
    print(f"syntax    {', '.join(SYNTAXES)}\nfigure    {', '.join(FIGURES)}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="volstream bench",
        description="Measure volstream beside other DICOM loaders, on this machine.",
        epilog="parts:\n" + "\n".join(f"  {name:<10}{what}" for name, what in PARTS.items()) + f"\n\n{_EPILOG}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "volstream-bench"
    names = [axis.name for axis in axes()]
    add = parser.add_argument
    add("parts", nargs="*", metavar="PART", help="what to measure (default: loaders scaling micro)")
    add("--list", action="store_true", help="scenarios, loaders and what they lack, axes, syntaxes, figures; then end")
    add("--quick", action="store_true", help="small series, two syntaxes, one round: to see that all works")
    add("--scenarios", nargs="+", choices=SCENARIOS, metavar="NAME", default=list(SCENARIOS), help="default: all")
    add("--syntaxes", nargs="+", choices=SYNTAXES, metavar="NAME", help="default: each scenario's own")
    add("--loaders", nargs="+", metavar="WORD", default=[""], help="those whose name has one of these (default: all)")
    add("--axes", nargs="+", choices=names, metavar="NAME", default=names, help="of scaling (default: all)")
    add("--figures", nargs="+", choices=FIGURES, metavar="NAME", default=list(FIGURES), help="default: all")
    add("--rounds", type=int, help="default: 5; a first run of each loader does not count")
    add("--slices", type=int, help="of the usual series (default: 120; for figures 300)")
    add("--rows", type=int, help="and columns of a slice (default: 512)")
    add("--instructions", action="store_true", help="of the micro part, also counts them with valgrind; slow")
    add("--data", type=Path, default=cache, help=f"where generated series are kept (default: {cache})")
    add("--out", type=Path, default=Path("bench-results"), help="folder of the report (default: bench-results)")
    add("--compare", type=Path, metavar="FILE", help="results.jsonl of an earlier run: mark what became slower")
    add("--report", type=Path, metavar="FILE", help="measure nothing: write the report of this results.jsonl to --out")
    return parser
