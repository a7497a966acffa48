"""Cornerstone3D's streaming image volume, in headless Chromium on a page of its own (bench/browser)."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .. import browser
from .child import Job, Loader, answer, descendants, program, status, worst


def run(job: Job) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, _page(folder, job["cores"]) as answer_to:
        base, cpu = _peaks(), _cpu_seconds()
        loaded = answer_to({"urls": [source["url"] for source in job["sources"]], **job["options"]})
        seconds = _cpu_seconds() - cpu
        peak = sum((base | _peaks()).values())  # with those that ended in between
        answer_to("save")
        arrays = [
            np.fromfile(f"{folder}/{index}", volume["dtype"]).reshape(volume["shape"])
            for index, volume in enumerate(loaded["volumes"])
        ]
    usage = {"cpu_seconds": seconds, "peak_bytes": peak, "base_bytes": sum(base.values())}
    return {"marks": loaded["marks"], **usage, **worst(arrays, job)}


@contextlib.contextmanager
def _page(folder: str, workers: int) -> Iterator[Callable[[Any], Any]]:
    """A fresh browser whose page is ready, as a function from an order to its answer; voxels go to the folder."""
    driver = (program("node"), browser.HERE / "run.mjs", browser.folder(), program("chromium"))
    command = [*map(str, driver), folder, f"workers={workers}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        orders, answers = process.stdin, process.stdout
        assert orders is not None
        assert answers is not None

        def listen() -> Any:
            said = json.loads(answers.readline() or '{"error": "the browser ended"}')
            if "error" in said:
                raise RuntimeError(said["error"])
            return said

        def answer_to(order: Any) -> Any:
            print(json.dumps(order), file=orders, flush=True)
            return listen()

        listen()
        yield answer_to  # leaving closes the driver's standard input, whereupon it ends the browser and itself


def _processes() -> list[int]:
    return [os.getpid(), *descendants(os.getpid())]


def _cpu_seconds() -> float:
    """Of the browser's processes and this one, with what those had that ended in between."""
    ticks = 0
    for pid in _processes():
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _peaks() -> dict[int, int]:
    peaks = {}
    for pid in _processes():
        with contextlib.suppress(OSError):
            peaks[pid] = status(pid).get("VmHWM", 0)
    return peaks


def _row(name: str, **options: Any) -> Loader:
    return Loader(name, __name__, ("url",), ("program:chromium", "program:node"), options, browser.why_missing)


LOADERS = (_row("Cornerstone3D"), _row("Cornerstone3D, progressive", progressive=True))


if __name__ == "__main__":
    answer(run)
