"""Measure the figures the package holds itself to, and print a table.

python bench/run.py [FIGURE ...] [--slices 300] [--rounds 5] [--out FILE.jsonl]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .figure import Figure, Series
from .table import FIGURES


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=f"any of {', '.join(FIGURES)} (default: all)")
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--rows", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="append one JSON line a figure")
    arguments = parser.parse_args(argv)
    unknown = set(arguments.figures) - set(FIGURES)
    if unknown:
        parser.error(f"unknown figure {', '.join(sorted(unknown))}")
    results: list[Figure] = []
    with tempfile.TemporaryDirectory() as temporary:
        series = Series(Path(temporary), arguments.slices, arguments.rows)
        for name in arguments.figures or FIGURES:
            try:
                figure = FIGURES[name](series, arguments.rounds)
            except (ImportError, FileNotFoundError) as error:
                print(f"{name}: skipped, {error}", file=sys.stderr)
                continue
            results += figure if isinstance(figure, list) else [figure]
    print(f"| {arguments.slices} slices of {arguments.rows} x {arguments.rows} | measured | bar | |\n|---|---|---|---|")
    for result in results:
        print(f"| {result.name} | {result.value:.2f} | {result.bar} | {'' if result.reached else 'missed'} |")
    if arguments.out:
        with arguments.out.open("a") as file:
            for result in results:
                file.write(json.dumps(result._asdict()) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
