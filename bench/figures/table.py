"""The figures the package holds itself to, each a ratio of medians of one run. One function a figure."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from typing import Any

import volstream
from volstream import _native
from volstream.engine.workers import default_workers
from volstream.headers.dicomjson import parse_json, records_from_json
from volstream.headers.part10 import read_records
from volstream.plan import build_plan
from volstream.samples import available_syntaxes
from volstream.syntaxes import EXPLICIT, HTJ2K_RPCL, SYNTAXES

from ..bounds import Frames, read_and_drop
from ..servers.nginx import nginx
from ..timing import interleaved, summary
from .figure import Figure, Series, check
from .progressive import progressive_loading


def htj2k_over_http(series: Series, rounds: int) -> Figure:
    """Load over WADO-RS against the bound: decoding all frames from memory on all cores, and the plainest client's CPU
    time, which these cores have to give as well."""
    truth, cores = series(HTJ2K_RPCL), default_workers()
    frames = Frames(truth.files)
    with nginx(truth.folder) as (url, *bodies):
        check(url, truth.array)
        cpu = []
        for _ in range(rounds):
            begin = time.process_time()
            asyncio.run(read_and_drop(bodies))
            cpu.append(time.process_time() - begin)
        times = interleaved({"volstream": lambda: volstream.load(url), "decode": lambda: frames.decode(cores)}, rounds)
    fetch = statistics.median(cpu) / cores
    times["bound"] = [seconds + fetch for seconds in times["decode"]]
    return _ratio("HTJ2K over WADO-RS / decoding on all cores + fetch CPU", times, "volstream", "bound", 1.3)


def uncompressed_over_http(series: Series, rounds: int) -> Figure:
    """Load over WADO-RS against a bare aiohttp client that reads the same bodies and throws them away."""
    truth = series(EXPLICIT)
    with nginx(truth.folder) as (url, *bodies):
        check(url, truth.array)
        times = interleaved(
            {"volstream": lambda: volstream.load(url), "aiohttp": lambda: asyncio.run(read_and_drop(bodies))}, rounds
        )
    return _ratio("uncompressed over WADO-RS / bare aiohttp client", times, "volstream", "aiohttp", 2.0)


def uncompressed_folder(series: Series, rounds: int) -> Figure:
    """SimpleITK's series reader against load, the folder's pages in memory, header reading included."""
    import SimpleITK

    truth = series(EXPLICIT)
    folder = truth.folder
    check(folder, truth.array)

    def simpleitk() -> Any:
        reader = SimpleITK.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
        return reader.Execute()

    times = interleaved({"SimpleITK": simpleitk, "volstream": lambda: volstream.load(folder)}, rounds)
    figure = _ratio("SimpleITK's series reader / folder of uncompressed files", times, "SimpleITK", "volstream", 10.0)
    return figure._replace(bar=">= 10", reached=figure.value >= 10)


def header_reading(series: Series, rounds: int) -> Figure:
    """Microseconds a file, from path to record."""
    paths = [str(path) for path in series(EXPLICIT).files]
    times = interleaved({"headers": lambda: [read_records(path) for path in paths]}, rounds)
    value = summary(times["headers"])["median"] / len(paths) * 1e6
    return Figure("header reading, microseconds a file", value, "<= 50", value <= 50, {"seconds": times["headers"]})


def json_metadata(series: Series, rounds: int) -> Figure:
    """Milliseconds from the DICOM JSON of 2000 instances to the plan of their volume."""
    import pydicom

    dataset = pydicom.dcmread(series(EXPLICIT).files[0], stop_before_pixels=True)
    common, instances = dataset.to_json_dict(), []
    for n in range(2000):
        own = {
            "00080018": {"vr": "UI", "Value": [f"{dataset.SeriesInstanceUID[:50]}.{n}"]},
            "00080032": {"vr": "TM", "Value": [f"1030{n / 50:09.6f}"]},
            "00200013": {"vr": "IS", "Value": [n + 1]},
            "00200032": {"vr": "DS", "Value": [-187.5, -187.5, 0.625 * n]},
        }
        instances.append(common | own)
    text = json.dumps(instances, separators=(",", ":")).encode()
    url = f"http://localhost/studies/1/series/{dataset.SeriesInstanceUID}"
    times = interleaved({"plan": lambda: build_plan(records_from_json(parse_json(text), url))}, rounds)
    value = summary(times["plan"])["median"] * 1e3
    return Figure("DICOM JSON of 2000 instances to plan, milliseconds", value, "<= 150", value <= 150, times)


def thread_scaling(series: Series, rounds: int) -> list[Figure]:
    """Two threads against one, decoding from memory, for every native codec that can be written here."""
    figures, seen = [], set()
    native = {row["name"] for row in _native.codecs() if row["origin"] != "absent"}
    for uid in available_syntaxes():
        codec = SYNTAXES[uid].codec
        if codec in seen or codec not in native:
            continue
        seen.add(codec)
        frames = Frames(series(uid).files)
        frames.decode(1)  # takes the target's pages
        begin = time.perf_counter()
        frames.decode(1)
        # Fast codecs go over the series several times, so that starting a thread does not count.
        repeat = 1 + int(0.3 / (time.perf_counter() - begin))
        times = interleaved(
            {"one": lambda f=frames, n=repeat: f.decode(1, n), "two": lambda f=frames, n=repeat: f.decode(2, n)}, rounds
        )
        figure = _ratio(f"one thread / two threads, {codec}", times, "one", "two", 1.85)
        figures.append(figure._replace(bar=">= 1.85", reached=figure.value >= 1.85))
    return figures


_MEMORY = """
import json, resource, sys, volstream
volume = volstream.load(sys.argv[1])
with open("/proc/self/status") as status:
    fields = dict(line.split(":", 1) for line in status)
peak = int(fields["VmHWM"].split()[0]) * 1024
# Slices are written, not mapped: what of the volume counts for this process is what it has looked at.
mapped = int(fields["RssShmem"].split()[0]) * 1024
print(json.dumps({"peak": peak, "mapped": mapped, "volume": volume.array.nbytes}))
volume.close()
"""


def peak_memory(series: Series, rounds: int) -> Figure:
    """MiB above the volume and the bare interpreter with the package imported."""
    with nginx(series(HTJ2K_RPCL).folder) as (url, *_):
        loaded = json.loads(subprocess.check_output([sys.executable, "-c", _MEMORY, url]))
    value = (loaded["peak"] - loaded["mapped"]) / 2**20
    return Figure("peak memory above the volume, MiB (whole process)", value, "<= 128", value <= 128, loaded)


def import_time(series: Series, rounds: int) -> Figure:
    """Milliseconds for `import volstream` in a fresh interpreter, above those for an empty program."""

    def run(code: str) -> None:
        subprocess.run([sys.executable, "-c", code], check=True)

    times = interleaved({"import": lambda: run("import volstream"), "empty": lambda: run("pass")}, rounds)
    value = (summary(times["import"])["median"] - summary(times["empty"])["median"]) * 1e3
    return Figure("import volstream, milliseconds", value, "<= 150", value <= 150, times)


def _ratio(name: str, times: dict[str, list[float]], upper: str, lower: str, bar: float) -> Figure:
    value = summary(times[upper])["median"] / summary(times[lower])["median"]
    return Figure(name, value, f"<= {bar}", value <= bar, {key: summary(row) for key, row in times.items()})


FIGURES = {
    "progressive": progressive_loading,
    "htj2k-http": htj2k_over_http,
    "raw-http": uncompressed_over_http,
    "raw-folder": uncompressed_folder,
    "headers": header_reading,
    "json": json_metadata,
    "threads": thread_scaling,
    "memory": peak_memory,
    "import": import_time,
}
