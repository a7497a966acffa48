"""Plots of a run, as PNG and SVG; each function draws into a folder and returns the Markdown that shows it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

from .summary import BOUNDS, Case, Lines, Spread, bound

mpl.use("Agg")
mpl.rcParams["svg.hashsalt"] = "volstream"  # the same picture is the same file

#: Ours, the bound, and the others, in turn.
_OWN, _BOUND, _OTHERS = "#c2410c", "#404040", ("#64748b", "#0f766e", "#7c3aed", "#a16207", "#be185d", "#1d4ed8")


def _figure(rows: int, columns: int, width: float, height: float) -> tuple[Any, Any]:
    import matplotlib.pyplot as plt

    return plt.subplots(rows, columns, figsize=(width, height), squeeze=False, layout="constrained")


def _save(figure: Any, folder: Path, name: str, says: str) -> list[str]:
    import matplotlib.pyplot as plt

    for kind, facts in (("png", {"Software": None}), ("svg", {"Date": None})):
        figure.savefig(folder / f"{name}.{kind}", dpi=110, metadata=facts)
    plt.close(figure)
    return [f"![{says}]({name}.svg)", ""]


def scenarios(cases: Sequence[Case], folder: Path) -> list[str]:
    """For each scenario, bars of the time to complete, a panel a syntax."""
    lines: list[str] = []
    for name in dict.fromkeys(case.scenario for case in cases):
        own = [case for case in cases if case.scenario == name and case.rows]
        if own:
            lines += _bars(own, folder)
    return ["## Plots", "", *lines] if lines else []


def _bars(own: list[Case], folder: Path) -> list[str]:
    columns = min(3, len(own))
    rows = math.ceil(len(own) / columns)
    bars = max(len(case.rows) for case in own)
    figure, panels = _figure(rows, columns, 4.6 * columns, rows * (0.9 + 0.24 * bars))
    for panel, case in zip(panels.flat, own, strict=False):
        names = [row.loader if row.right else f"{row.loader} (wrong)" for row in case.rows]
        marks = [row.marks["complete"] or Spread(0, 0, 0) for row in case.rows]
        times = [mark.median for mark in marks]
        colours = [_OWN if row.loader.startswith("volstream") else _OTHERS[0] for row in case.rows]
        spread = [[m.median - m.low for m in marks], [m.high - m.median for m in marks]]
        drawn = panel.barh(names, times, color=colours, xerr=spread, error_kw={"lw": 0.8, "ecolor": "#94a3b8"})
        for bar, row in zip(drawn, case.rows, strict=True):
            bar.set_alpha(1.0 if row.right else 0.3)
        panel.invert_yaxis()
        if case.bound:
            panel.axvline(case.bound, color=_BOUND, lw=1, ls="--")
        panel.set_title(case.syntax, fontsize=10)
        panel.set_xlabel("seconds to complete; dashed: the bound", fontsize=8)
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    for panel in list(panels.flat)[len(own) :]:
        panel.set_visible(False)
    figure.suptitle(own[0].title, fontsize=11)
    return _save(figure, folder, own[0].scenario, f"{own[0].title}: seconds to complete")


def scaling(lines: Lines, folder: Path) -> list[str]:
    """One panel an axis: seconds over what is varied."""
    measured = {line["axis"] for line in lines if line["kind"] == "scaling"}
    axes = [line for line in lines if line["kind"] == "axis" and line["name"] in measured]
    if not axes:
        return []
    figure, panels = _figure(1, len(axes), 4.2 * len(axes), 3.6)
    for panel, axis in zip(panels.flat, axes, strict=True):
        own = [line for line in lines if line["kind"] == "scaling" and line["axis"] == axis["name"]]
        times = _medians(own)
        values = sorted({value for curve in times.values() for value in curve})
        limit = [bound({name: curve[value] for name, curve in times.items() if value in curve}) for value in values]
        times = {name: curve for name, curve in times.items() if name not in BOUNDS}
        for number, (name, curve) in enumerate(times.items()):
            colour = _OWN if name.startswith("volstream") else _OTHERS[number % len(_OTHERS)]
            panel.plot(list(curve), list(curve.values()), marker="o", ms=3, color=colour, label=name)
        panel.plot(values, limit, color=_BOUND, ls="--", lw=1, label="bound")
        if min(values) > 0 and max(values) / min(values) > 20:
            panel.set_xscale("log")
        panel.set_yscale("log" if axis["name"] == "slices" else "linear")
        if axis["name"] != "slices":
            panel.set_ylim(bottom=0)
        panel.set_xlabel(axis["title"], fontsize=8)
        panel.set_ylabel("seconds", fontsize=8)
        panel.legend(fontsize=7, frameon=False)
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    shown = _save(figure, folder, "scaling", "Seconds to complete over what is varied")
    return ["## Scaling", "", *shown, *_table(lines)]


def _medians(own: Lines) -> dict[str, dict[float, float]]:
    """Loader -> value -> seconds."""
    curves: dict[str, dict[float, float]] = {}
    names = dict.fromkeys(line["loader"] for line in own)
    for name in sorted(names, key=lambda name: (not name.startswith("volstream"), name in BOUNDS)):
        for value in dict.fromkeys(line["value"] for line in own):
            found = Spread.of(
                line["seconds"]
                for line in own
                if line["loader"] == name and line["value"] == value and line["verdict"] != "wrong"
            )
            if found:
                curves.setdefault(name, {})[value] = found.median
    return curves


def _table(lines: Lines) -> list[str]:
    from .tables import seconds, table

    text: list[str] = []
    for axis in (line for line in lines if line["kind"] == "axis"):
        curves = _medians([line for line in lines if line["kind"] == "scaling" and line["axis"] == axis["name"]])
        values = list(dict.fromkeys(value for curve in curves.values() for value in curve))
        rows = [[name, *(seconds(curve.get(value)) for value in values)] for name, curve in curves.items()]
        text += [f"### {axis['title']}", "", *table(["", *(f"{value:g}" for value in values)], rows), ""]
    return text
