"""Measures the figures the package holds itself to."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from ..journal import Journal
from .figure import Series
from .table import FIGURES


def run_figures(names: Sequence[str], *, slices: int, rows: int, rounds: int, journal: Journal) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        series = Series(Path(temporary), slices, rows)
        for number, name in enumerate(names, 1):
            journal.progress(f"figure {name}", number, len(names))
            try:
                found = FIGURES[name](series, rounds)
            except (ImportError, FileNotFoundError) as error:
                journal.skip("figures", None, name, str(error))
                continue
            for figure in found if isinstance(found, list) else [found]:
                journal.write({"kind": "figure", **figure._asdict()})
