"""pydicom and numpy, as its documentation shows it: one after the other, with threads, with processes; and with each
of its decoding plugins by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import numpy as np

from volstream import syntaxes as ts

from .child import Clock, Job, Loader, Source, child
from .stacking import Layout, headers_of


def prepare(job: Job) -> None:
    from pydicom.pixels import get_decoder
    from pydicom.uid import UID

    if UID(job["transfer_syntax"]).is_encapsulated:
        _ = get_decoder(UID(job["transfer_syntax"])).available_plugins  # loads them


def read(path: str, plugin: str | None) -> Any:
    import pydicom

    return with_plugin(pydicom.dcmread(path), plugin)


def with_plugin(dataset: Any, plugin: str | None) -> Any:
    if plugin:
        dataset.pixel_array_options(decoding_plugin=plugin)
    return dataset


def frames_of(dataset: Any) -> Iterator[np.ndarray]:
    pixels = dataset.pixel_array
    yield from pixels if pixels.ndim == 3 else (pixels,)


def stack(datasets: list[Any], clock: Clock, run: Callable[..., Any] = map) -> np.ndarray:
    """Decode every frame into its place."""
    groups = [headers_of(dataset) for dataset in datasets]
    starts = np.cumsum([0, *map(len, groups)])
    layout = Layout([header for group in groups for header in group])
    clock.mark("headers")

    def decode(number: int) -> None:
        for index, frame in enumerate(frames_of(datasets[number]), int(starts[number])):
            layout.place(index, frame)

    for done, _ in enumerate(run(decode, range(len(datasets))), 1):
        clock.slice(done, len(datasets))
    return layout.array


def read_and_decode(job: tuple[str, str | None]) -> tuple[list[Any], list[np.ndarray]]:
    dataset = read(*job)
    return headers_of(dataset), list(frames_of(dataset))


def load(source: Source, clock: Clock, options: dict[str, Any]) -> np.ndarray:
    plugin = options.get("plugin")
    pool = options.get("pool")
    if pool == "processes":
        return _with_processes(source, clock, plugin)
    if pool == "threads":
        with ThreadPoolExecutor(source.cores) as threads:
            datasets = list(threads.map(lambda path: read(path, plugin), source.files))
            return stack(datasets, clock, threads.map)
    return stack([read(path, plugin) for path in source.files], clock)


def _with_processes(source: Source, clock: Clock, plugin: str | None) -> np.ndarray:
    """Frames come back by pipe, and are put in place when all headers are known."""
    files = source.files
    with ProcessPoolExecutor(source.cores) as processes:
        chunk = max(1, min(8, len(files) // (2 * source.cores)))
        results = []
        for result in processes.map(read_and_decode, [(path, plugin) for path in files], chunksize=chunk):
            results.append(result)
            clock.mark("first")
        clock.processes()
    layout = Layout([header for headers, _ in results for header in headers])
    for index, frame in enumerate(frame for _, frames in results for frame in frames):
        layout.place(index, frame)
    return layout.array


_J2K = (ts.JPEG_2000_LOSSLESS,)
_HTJ2K = (ts.HTJ2K_RPCL,)
#: What each plugin decodes, of the syntaxes that are measured.
PLUGINS = {
    "gdcm": (("gdcm",), (ts.JPEG_LOSSLESS_SV1, ts.JPEG_LS, *_J2K)),
    "pylibjpeg": (
        ("pylibjpeg", "libjpeg", "openjpeg"),
        (ts.RLE, ts.JPEG_LOSSLESS_SV1, ts.JPEG_LS, *_J2K, *_HTJ2K),
    ),
    "pyjpegls": (("jpeg_ls",), (ts.JPEG_LS,)),
    "pillow": (("PIL",), _J2K),
}
_DISTRIBUTIONS = {"gdcm": "python-gdcm", "pyjpegls": "pyjpegls", "pillow": "pillow"}
_PYLIBJPEG = ("pylibjpeg", "pylibjpeg-libjpeg", "pylibjpeg-openjpeg", "pylibjpeg-rle")

LOADERS = (
    Loader("pydicom", __name__, needs=("pydicom",)),
    Loader("pydicom, threads", __name__, needs=("pydicom",), options={"pool": "threads"}),
    Loader("pydicom, processes", __name__, needs=("pydicom",), options={"pool": "processes"}),
    *(
        Loader(
            f"pydicom with {plugin}",
            __name__,
            needs=("pydicom", *modules),
            options={"plugin": plugin},
            packages=_PYLIBJPEG if plugin == "pylibjpeg" else (_DISTRIBUTIONS[plugin],),
            syntaxes=syntaxes,
        )
        for plugin, (modules, syntaxes) in PLUGINS.items()
    ),
)

if __name__ == "__main__":
    child(load, prepare)
