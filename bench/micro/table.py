"""What is timed: a function that does a known amount of work, in one thread. One function a family."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from volstream import _native
from volstream.engine.decode import codec_of
from volstream.headers.dicomjson import parse_json, records_from_json
from volstream.headers.part10 import read_records
from volstream.plan import build_plan
from volstream.syntaxes import EXPLICIT

from ..bounds import Frames
from ..series import SYNTAXES, Catalogue, NoEncoderError, Size


class Micro(NamedTuple):
    name: str
    #: What one of `items` is.
    item: str
    items: int
    #: Bytes that come out, for a rate; 0 where that says nothing.
    bytes: int
    run: Callable[[], object]


#: Rows of the frames that are placed; small ones stay in the cache, as rows do while a frame is decoded.
_ROWS = 512
#: Stored type -> what it is placed as: narrower ones only where the values fit.
_PLACED = {
    "uint8": ("uint8", "int16", "float32"),
    "uint16": ("uint16", "int16", "int32", "float32"),
    "int16": ("int16", "int32", "float32"),
    "uint32": ("uint32", "float32", "float64"),
    "int32": ("int32", "float32", "float64"),
}


def decode(catalogue: Catalogue, size: Size) -> Iterator[Micro]:
    """A CT's frames, from memory into place."""
    for syntax in SYNTAXES:
        try:
            series = catalogue.get("ct", syntax, size)
        except NoEncoderError:
            continue  # nothing installed writes it
        frames = Frames(sorted(series.folder.iterdir()))
        yield Micro(f"decode {syntax}", "frame", len(frames), frames.decoded, lambda frames=frames: frames.decode(1))


def place(catalogue: Catalogue, size: Size) -> Iterator[Micro]:
    """Uncompressed frames, rescaled into place, for each pair of types; and memcpy of as many bytes."""
    rows, count = min(_ROWS, size.rows), 16
    source = np.zeros(rows * rows * 2, np.uint8)
    targets = np.empty((count, source.size), np.uint8)

    def copy() -> None:
        for target in targets:
            np.copyto(target, source)

    yield Micro("memcpy", "frame", count, targets.nbytes, copy)
    for stored, names in _PLACED.items():
        values = np.random.default_rng(0).integers(0, 100, (rows, rows)).astype(stored)
        for name in names:
            yield _placing(stored, name, values, count)


def _placing(stored: str, name: str, values: np.ndarray, count: int) -> Micro:
    kind, bits = np.dtype(stored), np.dtype(stored).itemsize * 8
    floating = np.dtype(name).kind == "f"
    spec = _native.FrameSpec(
        codec=codec_of(EXPLICIT),
        rows=len(values),
        columns=len(values),
        bits_allocated=bits,
        bits_stored=bits,
        high_bit=bits - 1,
        pixel_representation=int(kind.kind == "i"),
        slope=0.25 if floating else 1.0,
        intercept=-10.0 if np.dtype(name).kind != "u" else 0.0,
    )
    data, size = values.tobytes(), values.size * np.dtype(name).itemsize
    target = np.empty(count * size, np.uint8)

    def run() -> None:
        for index in range(count):
            _native.decode(spec, data, target, index * size, name)

    return Micro(f"place {stored} as {name}", "frame", count, target.nbytes, run)


def headers(catalogue: Catalogue, size: Size) -> Iterator[Micro]:
    """From path to record."""
    paths = [str(path) for path in sorted(catalogue.get("ct", "uncompressed", size).folder.iterdir())]
    yield Micro("Part 10 headers", "file", len(paths), 0, lambda: [read_records(path) for path in paths])


def multipart(catalogue: Catalogue, size: Size) -> Iterator[Micro]:
    """Bodies of one part, in chunks as they come from a socket."""
    body = b"--edge\r\nContent-Type: application/octet-stream\r\n\r\n" + bytes(size.rows**2 * 2) + b"\r\n--edge--\r\n"
    chunks = [body[start : start + 65536] for start in range(0, len(body), 65536)]

    def run() -> None:
        for _ in range(size.slices):
            parser = _native.MultipartParser(b"edge", part_limit=1 << 30)
            for chunk in chunks:
                parser.feed(chunk)
            parser.finish()

    yield Micro("multipart bodies", "body", size.slices, size.slices * len(body), run)


def metadata(catalogue: Catalogue, size: Size) -> Iterator[Micro]:
    """DICOM JSON to plan."""
    import json

    import pydicom

    count = 4 * size.slices
    path = next(catalogue.get("ct", "uncompressed", size).folder.iterdir())
    dataset = pydicom.dcmread(path, stop_before_pixels=True)
    instances = [
        dataset.to_json_dict()
        | {
            "00080018": {"vr": "UI", "Value": [f"{dataset.SeriesInstanceUID[:50]}.{n}"]},
            "00200013": {"vr": "IS", "Value": [n + 1]},
            "00200032": {"vr": "DS", "Value": [-187.5, -187.5, 0.625 * n]},
        }
        for n in range(count)
    ]
    text, url = json.dumps(instances).encode(), f"http://localhost/studies/1/series/{dataset.SeriesInstanceUID}"
    yield Micro(
        "DICOM JSON to plan", "instance", count, 0, lambda: build_plan(records_from_json(parse_json(text), url))
    )


def events(catalogue: Catalogue, size: Size) -> Iterator[Micro]:
    """A slice is published, and who watches the volume hears of it."""
    from volstream.store.segment import Segment
    from volstream.store.states import FULL
    from volstream.store.volume import Volume

    count = 20 * size.slices

    def run() -> None:
        segment = Segment.create((count, 1, 1), "uint8", {}, slices=count)
        with Volume(segment, None) as volume:
            stream = iter(volume.events(timeout=10))
            for index in range(count):
                segment.publish(index, FULL, 0.0, 0.0)
                next(stream)

    yield Micro("events", "slice", count, 0, run)


FAMILIES = (place, decode, headers, multipart, metadata, events)


def micros(catalogue: Catalogue, size: Size) -> Iterator[Micro]:
    return itertools.chain.from_iterable(family(catalogue, size) for family in FAMILIES)
