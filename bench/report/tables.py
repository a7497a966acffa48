"""Markdown tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .summary import MARKS, Case, Lines, Row, Spread

_BOUNDS = {
    "decode": "decoding alone",
    "transfer": "transfer of frames alone",
    "series": "in one answer",
    "pread": "reading alone",
}


def seconds(value: float | None) -> str:
    """Three digits, and milliseconds below one second."""
    if value is None:
        return "-"
    return f"{value:.2f} s" if value >= 1 else f"{value * 1e3:.3g} ms"


def spread(value: Spread | None) -> str:
    if value is None:
        return "-"
    if value.low == value.high:
        return seconds(value.median)
    return f"{seconds(value.median)} ({seconds(value.low)} - {seconds(value.high)})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cell.replace("|", "/") for cell in line) + " |" for line in lines]


def machine(line: Mapping[str, Any]) -> list[str]:
    memory = line["memory_bytes"] / 2**30
    versions = ", ".join(f"{name} {version}" for name, version in line["versions"].items())
    return [
        f"Measured {line['date'][:10]} on {line['cpu']}, {line['cores']} cores, {memory:.0f} GiB; {line['system']},",
        f"{line['kernel']}, Python {line['python']}. {versions}.",
    ]


def case(one: Case) -> list[str]:
    """All that was measured of one scenario and syntax."""
    bound = one.bound
    parts = ", ".join(f"{_BOUNDS[name]} {spread(value)}" for name, value in one.bounds.items())
    size = " x ".join(map(str, one.shape))
    head = ["", "loader", *MARKS, "x bound", "CPU", "memory", "dtype", "values"]
    rank, rows = 0, []
    for row in one.rows:
        rank += row.right
        rows.append([str(rank) if row.right else "", *_cells(row, bound)])
    volumes = f"{one.volumes} volumes of " if one.volumes > 1 else ""
    return [
        f"### {one.title}: {one.syntax}",
        "",
        f"{volumes}{size}, {one.encoded_bytes / 1e6:.1f} MB in files. Bounds: {parts}.",
        "",
        *table(head, rows),
        "",
        *(f"- Not measured: {name or 'all loaders'}: {reason}" for name, reason in one.skipped),
        "",
    ]


def _cells(row: Row, bound: float | None) -> list[str]:
    complete = spread(row.marks["complete"])
    return [
        row.loader,
        *(seconds(mark.median if (mark := row.marks[name]) else None) for name in MARKS[:-1]),
        complete,
        f"{row.seconds / bound:.2f}" if bound else "-",
        seconds(row.cpu.median if row.cpu else None),
        f"{row.memory.median:.1f}" if row.memory else "-",
        row.dtype,
        row.verdict if row.verdict == "exact" else f"{row.verdict}: {row.why}",
    ]


def overview(cases: Sequence[Case]) -> list[str]:
    """For each scenario with several syntaxes or not: seconds to complete, loader by syntax; the best in bold."""
    lines: list[str] = []
    for name in dict.fromkeys(one.scenario for one in cases):
        own = [one for one in cases if one.scenario == name]
        loaders = dict.fromkeys(row.loader for one in own for row in one.rows)
        order = sorted(loaders, key=lambda loader: sum((row.seconds if (row := one.row(loader)) else 0) for one in own))
        order = [loader for loader in loaders if loader.startswith("volstream")] + [
            loader for loader in order if not loader.startswith("volstream")
        ]
        rows = [["*bound*", *(f"*{seconds(one.bound)}*" for one in own)]]
        rows += [[loader, *(_cell(one, loader) for one in own)] for loader in order]
        lines += [f"### {own[0].title}", "", *table(["", *(one.syntax for one in own)], rows), ""]
    return lines


def _cell(one: Case, loader: str) -> str:
    row = one.row(loader)
    if row is None:
        reason = next((reason for name, reason in one.skipped if name == loader), None)
        return "-" if reason is None else "refused" if "not installed" not in reason else "not installed"
    if not row.right:
        return f"wrong ({seconds(row.seconds)})"
    best = next(other for other in one.rows if other.right)
    return f"**{seconds(row.seconds)}**" if row is best else seconds(row.seconds)


def not_measured(lines: Lines) -> list[str]:
    """Who or what was left out, why, and where."""
    where: dict[tuple[str, str], list[str]] = {}
    for line in lines:
        if line["kind"] == "skipped":
            place = ", ".join(filter(None, (line["scenario"], line["syntax"])))
            where.setdefault((line["loader"] or "all loaders", line["reason"]), []).append(place)
    if not where:
        return []
    rows = [[name, reason, "; ".join(dict.fromkeys(places))] for (name, reason), places in where.items()]
    return ["## Not measured", "", *table(["", "reason", "where"], rows), ""]


def micro(lines: Lines) -> list[str]:
    counts = {line["name"]: line["count"] / line["items"] for line in lines if line["kind"] == "instructions"}
    rows = []
    for line in lines:
        if line["kind"] == "micro":
            time = Spread.of(line["seconds"])
            assert time is not None
            each = Spread(*(value / line["items"] for value in time))
            rate = f"{line['bytes'] / time.median / 1e9:.2f}" if line["bytes"] else "-"
            count = f"{counts[line['name']]:,.0f}" if line["name"] in counts else "-"
            rows.append([line["name"], line["item"], microseconds(each), rate, count])
    if not rows:
        return []
    head = ["part", "one", "microseconds each", "GB/s", "instructions each"]
    return ["## The parts by themselves, one thread", "", *table(head, rows), ""]


def microseconds(value: Spread) -> str:
    return "{:.4g} ({:.4g} - {:.4g})".format(*(part * 1e6 for part in value))


def figures(lines: Lines) -> list[str]:
    rows = [
        [line["name"], f"{line['value']:.2f}", line["bar"], "" if line["reached"] else "missed"]
        for line in lines
        if line["kind"] == "figure"
    ]
    if not rows:
        return []
    return ["## Figures the package holds itself to", "", *table(["", "measured", "bar", ""], rows), ""]
