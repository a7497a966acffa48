"""The bench cannot rot: every figure runs, tiny, and its line is complete. What it measures is not judged here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from volstream.bench.command import main
from volstream.bench.figures.table import FIGURES
from volstream.bench.loaders.child import program

NEEDS = {"progressive": "nginx", "htj2k-http": "nginx", "raw-http": "nginx", "memory": "nginx"}


@pytest.mark.parametrize("name", FIGURES)
def test_a_tiny_run(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if (needed := NEEDS.get(name)) and not program(needed):
        pytest.skip(f"{needed} is not installed")
    size = ["--slices", "4", "--rows", "48", "--rounds", "1"]
    assert main(["figures", "--figures", name, *size, "--out", str(tmp_path)]) == 0
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    figures = [line for line in lines if line["kind"] == "figure"]
    table = capsys.readouterr().out
    assert figures
    for figure in figures:
        assert figure["value"] > 0
        assert figure["name"] in table
