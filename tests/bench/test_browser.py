"""Cornerstone3D in Chromium, tiny: every kind of series comes out of the page as it has to, with all marks."""

from __future__ import annotations

import contextlib
import functools
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from volstream.bench.loaders import why_missing
from volstream.bench.loaders.child import MARKS
from volstream.bench.loaders.cornerstone3d import LOADERS
from volstream.bench.series.time_points import write_time_points
from volstream.bench.servers.nginx import nginx, write_tree
from volstream.samples import write_series
from volstream.syntaxes import EXPLICIT, HTJ2K_RPCL, JPEG_LS

PLAIN, PROGRESSIVE = LOADERS
SMALL = {"slices": 5, "rows": 48, "columns": 48}

pytestmark = pytest.mark.skipif(why_missing(PLAIN) is not None, reason=f"Cornerstone3D: {why_missing(PLAIN)}")


@contextlib.contextmanager
def served(folder: Path, array: np.ndarray) -> Iterator[dict[str, str]]:
    """A source of the loader's job. The test is skipped where there is no nginx."""
    truth = folder.with_suffix(".npy")
    np.save(truth, array)
    with contextlib.ExitStack() as stack:
        try:
            url, *_ = stack.enter_context(nginx(folder))
        except FileNotFoundError as error:
            pytest.skip(str(error))
        yield {"url": url, "truth": str(truth)}


def load(sources: list[dict[str, str]], options: dict[str, Any]) -> dict[str, Any]:
    job = {"sources": sources, "tolerance": 0.0, "transfer_syntax": "", "cores": 2, "options": options}
    command = [sys.executable, "-m", PLAIN.module]
    child = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, check=False, timeout=60)
    assert child.returncode == 0, child.stderr
    return dict(json.loads(child.stdout.splitlines()[-1]))


@pytest.mark.parametrize(("loader", "syntax"), [(PLAIN, EXPLICIT), (PROGRESSIVE, HTJ2K_RPCL)])
def test_a_tiny_run(loader: Any, syntax: str, tmp_path: Path) -> None:
    truth = write_series(tmp_path / "ct", transfer_syntax=syntax, **SMALL)
    with served(truth.folder, truth.array) as source:
        result = load([source], loader.options)
    assert (result["verdict"], result["dtype"], result["shape"]) == ("exact", "int16", [5, 48, 48]), result
    marks = result["marks"]
    assert set(marks) == set(MARKS)
    assert 0 < marks["headers"] < marks["first"] <= min(marks["coverage"], marks["half"])
    assert max(marks["coverage"], marks["half"]) < marks["complete"]
    assert result["cpu_seconds"] > 0
    assert result["peak_bytes"] >= result["base_bytes"] > truth.array.nbytes


def test_several_series_at_once_pet_time_points_and_one_object(tmp_path: Path) -> None:
    pet = write_series(tmp_path / "pet", "pet", transfer_syntax=JPEG_LS, **SMALL)
    enhanced = write_series(tmp_path / "enhanced", enhanced=True, **SMALL)
    times, _ = write_time_points(tmp_path / "times", 2, SMALL)
    arrays = {pet.folder: pet.array, enhanced.folder: enhanced.array, tmp_path / "times": times}
    with contextlib.ExitStack() as stack:
        result = load([stack.enter_context(served(*pair)) for pair in arrays.items()], {})
    assert result["verdict"] == "exact", result


def test_wrong_values_are_called_wrong(tmp_path: Path) -> None:
    truth = write_series(tmp_path / "ct", **SMALL)
    altered = truth.array.copy()
    altered[-1, -1, -1] += 1
    with served(truth.folder, altered) as source:
        assert load([source], {})["verdict"] == "wrong"


def test_a_series_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    truth = write_series(tmp_path / "ct", **SMALL)
    with served(truth.folder, truth.array) as source:
        result = load([{**source, "url": f"{source['url']}.5"}], {})
    assert list(result) == ["error"]
    assert "404" in result["error"]


def test_a_slice_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    truth = write_series(tmp_path / "ct", **SMALL)
    series, *frames = write_tree(truth.folder, tmp_path / "html", "boundary")
    (tmp_path / "html" / frames[-1]).unlink()
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "html"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        result = load([{"url": f"http://127.0.0.1:{server.server_port}/{series}", "truth": ""}], {})
        server.shutdown()
        thread.join()
    assert result == {"error": "RuntimeError: a slice failed: the server answers 404"}
