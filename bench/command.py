"""`volstream bench`: what is asked for, measured and reported."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .journal import Journal
from .loaders import all_loaders
from .machine import machine
from .report.write import write
from .scenarios.run import run_scenario
from .scenarios.table import SCENARIOS
from .series import SYNTAXES, Catalogue, Size


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    return int(arguments.run(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="volstream bench", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="PART")
    loaders = commands.add_parser("loaders", help="volstream beside other loaders")
    loaders.add_argument("--scenarios", nargs="+", choices=SCENARIOS, metavar="NAME", default=list(SCENARIOS))
    loaders.add_argument("--syntaxes", nargs="+", choices=SYNTAXES, metavar="NAME")
    loaders.add_argument("--loaders", nargs="+", metavar="WORD", default=[""])
    loaders.add_argument("--rounds", type=int, default=5)
    loaders.add_argument("--slices", type=int, default=150)
    loaders.add_argument("--rows", type=int, default=512)
    loaders.add_argument("--data", type=Path, default=_cache())
    loaders.add_argument("--out", type=Path, default=Path("bench-results"))
    loaders.set_defaults(run=_loaders)
    return parser


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "volstream-bench"


def _loaders(arguments: argparse.Namespace) -> int:
    arguments.out.mkdir(parents=True, exist_ok=True)
    journal = Journal(arguments.out / "results.jsonl")
    journal.write(machine())
    size = Size(arguments.slices, arguments.rows)
    catalogue = Catalogue(arguments.data, journal.say)
    wanted = [loader for loader in all_loaders() if any(word in loader.name for word in arguments.loaders)]
    for name in arguments.scenarios:
        scenario = SCENARIOS[name]
        syntaxes = arguments.syntaxes or scenario.syntaxes
        run_scenario(
            scenario, syntaxes, wanted, size=size, rounds=arguments.rounds, catalogue=catalogue, journal=journal
        )
    journal.close()
    write(journal.lines, arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
