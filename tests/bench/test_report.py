"""What the report makes of a run's lines: ranks, bounds, spread, and what has become slower."""

from __future__ import annotations

from typing import Any

from volstream.bench.report import compare, tables
from volstream.bench.report.summary import cases


def run(loader: str, seconds: float, verdict: str = "exact", turn: int = 1) -> dict[str, Any]:
    marks = {"headers": None, "first": None, "coverage": None, "half": None, "complete": seconds}
    about = {"kind": "run", "scenario": "folder", "syntax": "rle", "loader": loader, "round": turn}
    values = {"verdict": verdict, "why": "off by up to 3"} if verdict != "exact" else {"verdict": verdict}
    result = {"marks": marks, "cpu_seconds": 1.0, "peak_bytes": 4000, "dtype": "int16", "shape": [1, 2, 500]}
    return {**about, **result, **values}


def bound(name: str, seconds: float) -> dict[str, Any]:
    return {"kind": "bound", "scenario": "folder", "syntax": "rle", "loader": name, "round": 1, "seconds": seconds}


CASE = {
    "kind": "case",
    "scenario": "folder",
    "title": "A folder",
    "syntax": "rle",
    "shape": [1, 2, 500],
    "volumes": 1,
    "volume_bytes": 2000,
    "encoded_bytes": 900,
}
REFUSED = {"kind": "skipped", "scenario": "folder", "syntax": "rle", "loader": "c", "reason": "no RLE"}


def test_a_wrong_answer_cannot_win() -> None:
    (case,) = cases([CASE, run("a", 0.1, "wrong"), run("b", 2.0), run("volstream", 3.0, "close")])
    assert [row.loader for row in case.rows] == ["b", "volstream", "a"]
    text = "\n".join(tables.overview([case]))
    assert "**2.00 s**" in text
    assert "wrong (100 ms)" in text
    details = "\n".join(tables.case(case))
    assert "| 1 | b |" in details
    assert "|  | a |" in details
    assert "wrong: off by up to 3" in details


def test_one_wrong_run_makes_the_loader_wrong() -> None:
    (case,) = cases([CASE, run("a", 1.0, turn=1), run("a", 1.0, "wrong", turn=2)])
    assert [row.right for row in case.rows] == [False]


def test_medians_spread_and_memory() -> None:
    (case,) = cases([CASE, *(run("a", seconds, turn=n) for n, seconds in enumerate((3.0, 1.0, 2.0)))])
    (row,) = case.rows
    assert row.marks["complete"] == (2.0, 1.0, 3.0)
    assert row.memory is not None
    assert row.memory.median == 2.0


def test_the_bound_is_the_larger_of_decoding_and_of_the_quicker_way_to_the_bytes() -> None:
    (case,) = cases([CASE, bound("decode", 1.0), bound("transfer", 5.0), bound("series", 2.0)])
    assert case.bound == 2.0
    (case,) = cases([CASE, bound("decode", 1.0), bound("pread", 0.5)])
    assert case.bound == 1.0


def test_refusals_are_told() -> None:
    (case,) = cases([CASE, run("a", 1.0), REFUSED, run("b", 1.0)])
    assert "- Not measured: c: no RLE" in tables.case(case)


def test_the_report_names_what_was_left_out_once() -> None:
    text = tables.not_measured([CASE, REFUSED, {**REFUSED, "syntax": "htj2k"}, {**REFUSED, "loader": None}])
    assert "| c | no RLE | folder, rle; folder, htj2k |" in text
    assert "| all loaders | no RLE | folder, rle |" in text
    assert tables.not_measured([CASE]) == []


def test_what_is_slower_than_the_noise_of_both_runs_is_marked() -> None:
    before = [CASE, *(run("volstream", seconds) for seconds in (1.0, 1.1, 1.2))]
    same = compare.compare(before, [CASE, *(run("volstream", seconds) for seconds in (1.1, 1.15, 1.4))])
    assert [change.is_worse for change in same] == [False]
    slower = compare.compare(before, [CASE, *(run("volstream", seconds) for seconds in (1.3, 1.4, 1.5))])
    assert [change.is_worse for change in slower] == [True]
    assert "slower" in "\n".join(compare.text(slower))
    assert compare.compare(before, [CASE, run("another", 9.0)]) == []


def test_instructions_are_compared_closely() -> None:
    def count(number: int) -> list[dict[str, Any]]:
        return [{"kind": "instructions", "name": "events", "item": "slice", "items": 10, "count": number}]

    assert [change.is_worse for change in compare.compare(count(1000), count(1010))] == [False]
    assert [change.is_worse for change in compare.compare(count(1000), count(1030))] == [True]
