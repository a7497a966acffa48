"""A run's lines, gathered: for each case the bounds, and each loader's medians, spread and rank."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Lines = Sequence[Mapping[str, Any]]
BOUNDS = ("decode", "transfer", "series", "pread")
MARKS = ("headers", "first", "coverage", "half", "complete")


class Spread(NamedTuple):
    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Spread | None:
        known = [value for value in values if value is not None]
        return cls(statistics.median(known), min(known), max(known)) if known else None


class Row(NamedTuple):
    """One loader in one case."""

    loader: str
    marks: dict[str, Spread | None]
    cpu: Spread | None
    #: Peak memory over the volume's own size.
    memory: Spread | None
    dtype: str
    verdict: str
    why: str
    rounds: int

    @property
    def right(self) -> bool:
        return self.verdict != "wrong"

    @property
    def seconds(self) -> float:
        mark = self.marks["complete"]
        assert mark is not None
        return mark.median


@dataclass
class Case:
    scenario: str
    title: str
    syntax: str
    shape: tuple[int, ...]
    volumes: int
    volume_bytes: int
    encoded_bytes: int
    bounds: dict[str, Spread] = field(default_factory=dict)
    #: The right ones by time, then the wrong ones.
    rows: list[Row] = field(default_factory=list)
    #: (loader or None for all, reason)
    skipped: list[tuple[str | None, str]] = field(default_factory=list)

    @property
    def bound(self) -> float | None:
        """The larger of decoding alone and of getting the bytes alone, by the quicker way where there are two."""
        return bound({name: spread.median for name, spread in self.bounds.items()})

    def row(self, loader: str) -> Row | None:
        return next((row for row in self.rows if row.loader == loader), None)


def bound(seconds: Mapping[str, float]) -> float | None:
    ways = [seconds[name] for name in ("transfer", "series", "pread") if name in seconds]
    parts = [min(ways)] if ways else []
    return max([*parts, *(seconds[name] for name in ("decode",) if name in seconds)], default=None)


def cases(lines: Lines) -> list[Case]:
    found: dict[tuple[str, str], Case] = {}
    for line in lines:
        if line["kind"] == "case":
            facts = {key: value for key, value in line.items() if key != "kind"}
            found[line["scenario"], line["syntax"]] = Case(**{**facts, "shape": tuple(line["shape"])})
    for key, case in found.items():
        own = [line for line in lines if (line.get("scenario"), line.get("syntax")) == key]
        for name in dict.fromkeys(line["loader"] for line in own if line["kind"] == "bound"):
            values = [line["seconds"] for line in own if line["kind"] == "bound" and line["loader"] == name]
            case.bounds[name] = Spread(statistics.median(values), min(values), max(values))
        runs = [line for line in own if line["kind"] == "run"]
        names = dict.fromkeys(line["loader"] for line in runs)
        rows = [_row(name, [line for line in runs if line["loader"] == name], case) for name in names]
        case.rows = sorted(rows, key=lambda row: (not row.right, row.seconds))
        case.skipped = [(line["loader"], line["reason"]) for line in own if line["kind"] == "skipped"]
    return list(found.values())


def _row(name: str, runs: Lines, case: Case) -> Row:
    worst = max(runs, key=lambda run: ("exact", "close", "wrong").index(run["verdict"]))
    return Row(
        name,
        {mark: Spread.of(run["marks"].get(mark) for run in runs) for mark in MARKS},
        Spread.of(run.get("cpu_seconds") for run in runs),
        Spread.of(run["peak_bytes"] / case.volume_bytes for run in runs if run.get("peak_bytes")),
        worst["dtype"],
        worst["verdict"],
        worst.get("why", ""),
        len(runs),
    )
