"""A run beside a stored one: what has become slower than the noise of both."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .summary import Lines, Spread, cases

#: A median that is worse by so much, and whose runs are all slower than all stored ones, is a regression.
SLOWER = 1.10
#: Instructions are counted, not timed: nearly no noise.
MORE = 1.02


class Change(NamedTuple):
    name: str
    before: Spread
    now: Spread
    is_worse: bool

    @property
    def ratio(self) -> float:
        return self.now.median / self.before.median


def compare(before: Lines, now: Lines) -> list[Change]:
    """Of what both runs have: volstream in each case, each part, each part's instructions, each bar."""
    then = dict(_values(before))
    changes = []
    for name, value in _values(now):
        if name in then:
            limit = MORE if name.startswith("instructions") else SLOWER
            worse = value.median > limit * then[name].median and value.low > then[name].high
            changes.append(Change(name, then[name], value, worse))
    return changes


def _values(lines: Lines) -> Iterator[tuple[str, Spread]]:
    for case in cases(lines):
        size = "x".join(map(str, case.shape))
        for row in case.rows:
            if row.loader.startswith("volstream") and (mark := row.marks["complete"]):
                yield f"{case.scenario}, {case.syntax}, {size}: {row.loader}", mark
    for line in lines:
        if line["kind"] == "micro" and (spread := Spread.of(value / line["items"] for value in line["seconds"])):
            yield f"{line['name']}, {line['bytes'] // line['items']} bytes: one {line['item']}", spread
        if line["kind"] == "instructions" and (spread := Spread.of([line["count"] / line["items"]])):
            yield f"instructions: {line['name']}", spread


def text(changes: list[Change]) -> list[str]:
    from .tables import table

    rows = [
        [change.name, _number(change.before.median), _number(change.now.median), f"{change.ratio:.2f}", _mark(change)]
        for change in changes
    ]
    return table(["", "before", "now", "ratio", ""], rows) if rows else ["Nothing that both runs have."]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value > 1000 else f"{value:.4g}"


def _mark(change: Change) -> str:
    return "**slower**" if change.is_worse else ""
