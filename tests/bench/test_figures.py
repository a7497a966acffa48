"""The bench cannot rot: every figure runs, tiny, and its line is complete. What it measures is not judged here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from volstream.bench.figures import run
from volstream.bench.figures.table import FIGURES

NEEDS = {"progressive": "nginx", "htj2k-http": "nginx", "raw-http": "nginx", "memory": "nginx"}


@pytest.mark.parametrize("name", FIGURES)
def test_a_tiny_run(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = NEEDS.get(name)
    if program and not (shutil.which(program) or shutil.which(program, path="/usr/sbin")):
        pytest.skip(f"{program} is not installed")
    out = tmp_path / "figures.jsonl"
    assert run.main([name, "--slices", "4", "--rows", "48", "--rounds", "1", "--out", str(out)]) == 0
    figures = [json.loads(line) for line in out.read_text().splitlines()]
    table = capsys.readouterr().out
    assert figures
    for figure in figures:
        assert figure["value"] > 0
        assert figure["name"] in table
