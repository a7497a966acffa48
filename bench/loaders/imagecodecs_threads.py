"""pydicom for the headers, imagecodecs for the frames, in threads: about what hand-written code can reach in Python."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from volstream import syntaxes as ts

from .child import Clock, Job, Loader, Source, child
from .stacking import Layout, flat, headers_of

_DECODERS = {
    ts.RLE: "dicomrle_decode",
    ts.JPEG_LOSSLESS_SV1: "jpeg8_decode",
    ts.JPEG_LS: "jpegls_decode",
    ts.JPEG_2000_LOSSLESS: "jpeg2k_decode",
    ts.HTJ2K_RPCL: "htj2k_decode",
}


def prepare(job: Job) -> None:
    import imagecodecs
    import pydicom  # noqa: F401

    if name := _DECODERS.get(job["transfer_syntax"]):
        getattr(imagecodecs, name)  # loads it


def load(source: Source, clock: Clock, options: dict[str, Any]) -> np.ndarray:
    import imagecodecs
    import pydicom
    from pydicom.encaps import generate_frames

    name = _DECODERS.get(source.transfer_syntax)
    if name is None and source.transfer_syntax not in (ts.EXPLICIT, ts.IMPLICIT):
        raise ValueError(f"no decoder of imagecodecs for {source.transfer_syntax}")

    def read(path: str) -> tuple[list[Any], list[bytes]]:
        dataset = pydicom.dcmread(path)
        headers, data = headers_of(dataset), dataset.PixelData
        if name:
            return headers, list(generate_frames(data, number_of_frames=len(headers)))
        size = dataset.Rows * dataset.Columns * dataset.BitsAllocated // 8
        return headers, [memoryview(data)[n * size : (n + 1) * size] for n in range(len(headers))]

    with ThreadPoolExecutor(source.cores) as threads:
        files = list(threads.map(read, source.files))
        layout = Layout(flat(headers for headers, _ in files))
        frames = [frame for _, group in files for frame in group]
        clock.mark("headers")

        def decode(index: int) -> None:
            pixels: Any = frames[index]
            if name == "dicomrle_decode":
                pixels = imagecodecs.dicomrle_decode(pixels, "<u2")
            elif name:
                pixels = getattr(imagecodecs, name)(pixels)
            if not isinstance(pixels, np.ndarray):
                pixels = np.frombuffer(pixels, "<u2")
            layout.place(index, pixels.reshape(layout.headers[index].rows, -1))

        for done, _ in enumerate(threads.map(decode, range(len(frames))), 1):
            clock.slice(done, len(frames))
    return layout.array


LOADERS = (Loader("pydicom + imagecodecs, threads", __name__, needs=("pydicom", "imagecodecs")),)

if __name__ == "__main__":
    child(load, prepare)
