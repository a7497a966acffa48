"""The command line: exit codes, one-line errors, files that others can read, JSON."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest

from dicomfactory import case
from volstream.cli import main
from volstream.syntaxes import SYNTAXES


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_info_names_a_decoder_for_every_syntax(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "info")
    assert status == 0
    for uid in SYNTAXES:
        assert uid in out
    status, out, _ = run(capsys, "info", "--json")
    told = json.loads(out)
    assert {row["transfer syntax"] for row in told["decoders"]} == set(SYNTAXES)
    assert {row["codec"] for row in told["libraries"]} >= {"raw", "rle", "jpeg-lossless"}


def test_info_of_a_series(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    case("tilt", tmp_path)
    status, out, _ = run(capsys, "info", tmp_path)
    assert status == 0
    assert "12 x 24 x 32" in out
    assert "HU" in out
    assert "tilt" in out
    told = json.loads(run(capsys, "info", tmp_path, "--json")[1])
    assert told["shape"] == [12, 24, 32]
    assert told["dtype"] == "int16"


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".npy", ".zarr", ".png"])
def test_load_writes_a_file(suffix: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    made = case("plain", tmp_path / "series")
    out = tmp_path / f"volume{suffix}"
    status, told, error = run(capsys, "load", tmp_path / "series", "--out", out)
    assert (status, error) == (0, "")
    assert str(out) in told
    assert out.exists()
    if suffix == ".nii.gz":
        image = nibabel.load(out)
        np.testing.assert_array_equal(np.asarray(image.dataobj).T, made.array)
        np.testing.assert_allclose(image.affine, np.diag([-1, -1, 1, 1]) @ made.affine, atol=1e-5)
    if suffix == ".npy":
        np.testing.assert_array_equal(np.load(out), made.array)


def test_an_error_is_one_line_and_exit_status_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    case("missing", tmp_path)
    status, out, error = run(capsys, "load", tmp_path)
    assert (status, out) == (1, "")
    assert error.startswith("volstream: ")
    assert error.count("\n") == 1


def test_options_go_through(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    case("missing", tmp_path)
    status, out, _ = run(capsys, "load", tmp_path, "-o", "gaps=fill", "-o", "dtype=float32", "--json")
    assert status == 0
    assert json.loads(out)["dtype"] == "float32"


@pytest.mark.parametrize(
    "arguments", [["-o", "gaps"], ["-o", "gasp=fill"], ["-H", "no colon"], ["--out", "volume.xyz"]]
)
def test_wrong_use_is_exit_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    case("plain", tmp_path)
    status, _, error = run(capsys, "load", tmp_path, *arguments)
    assert status == 2
    assert error.count("\n") == 1


def test_a_failed_slice_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    made = case("truncated", tmp_path)
    status, out, _ = run(capsys, "load", tmp_path, "--on-error", "fill", "--json")
    assert status == 0
    (message,) = json.loads(out)["failed"].values()
    assert made.odd[0] in message
