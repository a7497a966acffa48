"""The suite from its command line, tiny: every scenario, axis and part runs and is in the report."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from volstream import cli
from volstream.bench.command import main
from volstream.bench.loaders.child import program
from volstream.bench.scaling import run as scaling
from volstream.bench.scaling.table import axes
from volstream.bench.scenarios.table import SCENARIOS
from volstream.bench.servers.orthanc import PLUGINS


def lines(out: Path, kind: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    assert found[0]["kind"] == "machine"
    return [line for line in found if line["kind"] == kind]


def needs(server: str | None) -> None:
    if server == "orthanc" and not (program("Orthanc") and list(PLUGINS.glob("*DicomWeb*"))):
        pytest.skip("Orthanc with its DICOMweb plugin is not installed")
    if server and not program("nginx") and server == "nginx":
        pytest.skip("nginx is not installed")


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name != "real"])
def test_a_scenario(name: str, options: list[str], out: Path) -> None:
    scenario = SCENARIOS[name]
    needs(scenario.server)
    syntax = scenario.syntaxes[0]
    words = ["loaders", "--scenarios", name, "--syntaxes", syntax, "--loaders", "streaming"]
    assert main([*words, *options, "--out", str(out)]) == 0
    assert lines(out, "skipped") == []
    runs, bounds = lines(out, "run"), lines(out, "bound")
    assert {run["loader"] for run in runs} == {"volstream, streaming"}
    assert {run["verdict"] for run in runs} == {"exact"}
    assert {bound["loader"] for bound in bounds} >= {"decode", "transfer" if scenario.server else "pread"}
    readme, details = (out / "README.md").read_text(), (out / "details.md").read_text()
    assert f"### {scenario.title}" in readme
    assert "| volstream, streaming |" in readme
    assert f"### {scenario.title}: {syntax}" in details
    for picture in re.findall(r"\]\((\S+\.svg)\)", readme):
        assert (out / picture).stat().st_size > 1000
        assert (out / picture).with_suffix(".png").stat().st_size > 1000


def test_real_series(test_data: Path, options: list[str], out: Path) -> None:
    words = ["loaders", "--scenarios", "real", "--loaders", "volstream"]
    assert main([*words, *options, "--out", str(out)]) == 0
    assert len(lines(out, "run")) == 4
    assert {run["verdict"] for run in lines(out, "run")} == {"exact"}


def test_without_real_series_it_says_so(
    options: list[str], out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("VOLSTREAM_TEST_DATA", raising=False)
    assert main(["loaders", "--scenarios", "real", *options, "--out", str(out)]) == 0
    assert "VOLSTREAM_TEST_DATA" in lines(out, "skipped")[0]["reason"]
    assert "VOLSTREAM_TEST_DATA" in capsys.readouterr().err


def test_a_syntax_that_a_server_does_not_serve_is_named(options: list[str], out: Path) -> None:
    words = ["loaders", "--scenarios", "orthanc", "--syntaxes", "htj2k"]
    assert main([*words, *options, "--out", str(out)]) == 0
    assert "HTJ2K" in lines(out, "skipped")[0]["reason"]


@pytest.mark.parametrize("name", [axis.name for axis in axes()])
def test_an_axis(name: str, options: list[str], out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    axis = next(axis for axis in axes() if axis.name == name)
    needs(axis.scenario(1).server)
    monkeypatch.setattr(scaling, "axes", lambda: [axis._replace(values=axis.values[:1], others=())])
    assert main(["scaling", "--axes", name, *options, "--out", str(out)]) == 0
    assert "volstream" in {line["loader"] for line in lines(out, "scaling")}
    assert f"### {axis.title}" in (out / "README.md").read_text()
    assert (out / "scaling.svg").exists()


def test_the_parts_and_a_comparison_with_itself(
    options: list[str], out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["micro", *options, "--out", str(out)]) == 0
    names = {line["name"] for line in lines(out, "micro")}
    assert {"memcpy", "place uint16 as int16", "decode htj2k", "Part 10 headers", "multipart bodies"} <= names
    assert {"DICOM JSON to plan", "events"} <= names
    assert all(min(line["seconds"]) > 0 for line in lines(out, "micro"))
    again = out.with_name("again")
    assert main(["--report", str(out / "results.jsonl"), "--out", str(again)]) == 0
    assert (again / "README.md").read_text() == (out / "README.md").read_text()
    capsys.readouterr()


def test_an_axis_that_cannot_be_measured_is_left_out(options: list[str], out: Path) -> None:
    stored = out.with_suffix(".jsonl")
    axis = {"kind": "axis", "name": "workers", "title": "workers"}
    stored.write_text(json.dumps(axis) + "\n")
    assert main(["--report", str(stored), "--out", str(out)]) == 0
    assert "workers" not in (out / "README.md").read_text()


def test_it_is_a_subcommand(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "--list"]) == 0
    listed = capsys.readouterr().out
    assert "scenario  folder" in listed
    assert "loader    volstream" in listed


def test_without_its_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib")

    monkeypatch.setattr(cli, "import_module", missing)
    assert cli.main(["bench"]) == 2
    assert "pip install 'volstream[bench]'" in capsys.readouterr().err
