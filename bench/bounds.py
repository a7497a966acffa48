"""What no loader can be faster than: decoding alone, transferring alone, reading alone; each as a child of its own.

    python -m volstream.bench.bounds decode|transfer|series|pread  <job.json

The job is a loader's, each source with its folder besides its URL; the answer is {"seconds": ...}. Decoding is the
native core's on all cores, from memory to where the voxels belong; transfer is aiohttp's, of the metadata and every
frame, dropped as they come; reading is one file after the other into one buffer.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

#: As stored, whatever that is.
_ACCEPT = {"Accept": 'multipart/related; type="application/octet-stream"; transfer-syntax=*'}


class Frames:
    """All frames of a series in memory."""

    def __init__(self, files: Sequence[Path], dtype: str = "int16") -> None:
        from volstream import _native
        from volstream.engine.decode import codec_of, spec_fields
        from volstream.headers.part10 import read_records

        self._decode, self._dtype = _native.decode, dtype
        self._jobs = []
        for path in files:
            with path.open("rb") as file:
                for record in read_records(str(path)):
                    data = b"".join(self._read(file, *where) for where in record.location.ranges)
                    fields = spec_fields(record.pixel, record.rescale, codec_of(record.transfer_syntax), 0)
                    self._jobs.append((_native.FrameSpec(**fields), data))
        self._slice = record.pixel.rows * record.pixel.columns * np.dtype(dtype).itemsize
        self._target = np.zeros(len(self._jobs) * self._slice, np.uint8)
        #: Bytes before and after.
        self.encoded, self.decoded = sum(len(data) for _, data in self._jobs), self._target.size

    def __len__(self) -> int:
        return len(self._jobs)

    @staticmethod
    def _read(file: Any, offset: int, length: int) -> bytes:
        file.seek(offset)
        return bytes(file.read(length))

    def decode(self, threads: int, times: int = 1) -> None:
        def work(first: int) -> None:
            for _ in range(times):
                for index in range(first, len(self._jobs), threads):
                    spec, data = self._jobs[index]
                    self._decode(spec, data, self._target, index * self._slice, self._dtype)

        if threads == 1:
            return work(0)
        workers = [threading.Thread(target=work, args=(first,)) for first in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()


async def read_and_drop(
    urls: list[str], *, accept: Mapping[str, str] = MappingProxyType(_ACCEPT), connections: int = 16
) -> None:
    """The plainest client: read every body, throw it away."""
    import aiohttp

    gate = asyncio.Semaphore(connections)
    connector = aiohttp.TCPConnector(limit=connections)
    async with aiohttp.ClientSession(connector=connector, headers=accept) as session:

        async def read(url: str) -> None:
            async with gate, session.get(url) as response:
                await response.read()

        await asyncio.gather(*map(read, urls))


def decode(job: dict[str, Any]) -> Callable[[], None]:
    truths = [np.load(source["truth"], mmap_mode="r") for source in job["sources"]]
    series = [
        Frames(sorted(Path(source["folder"]).iterdir()), str(truth.dtype))
        for source, truth in zip(job["sources"], truths, strict=True)
    ]
    series[0].decode(1)  # tables of the codecs

    def run() -> None:
        for frames in series:
            frames.decode(job["cores"])

    return run


def transfer(job: dict[str, Any]) -> Callable[[], None]:
    """Metadata and every frame, a request each."""
    import aiohttp  # noqa: F401

    urls = []
    for source in job["sources"]:
        urls += [f"{source['url']}/metadata", *_frames(source)]
    return lambda: asyncio.run(read_and_drop(urls))


def series(job: dict[str, Any]) -> Callable[[], None]:
    """Metadata, and all instances in one answer."""
    import aiohttp  # noqa: F401

    urls = [url for source in job["sources"] for url in (f"{source['url']}/metadata", source["url"])]
    accept = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
    return lambda: asyncio.run(read_and_drop(urls, accept=accept))


def _frames(source: dict[str, Any]) -> list[str]:
    import pydicom

    urls = []
    for path in sorted(Path(source["folder"]).iterdir()):
        dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SOPInstanceUID", "NumberOfFrames"])
        base = f"{source['url']}/instances/{dataset.SOPInstanceUID}/frames"
        urls += [f"{base}/{number}" for number in range(1, int(dataset.get("NumberOfFrames") or 1) + 1)]
    return urls


def pread(job: dict[str, Any]) -> Callable[[], None]:
    folders = [source["folder"] for source in job["sources"]]

    def run() -> None:
        for folder in folders:
            files = sorted(os.scandir(folder), key=lambda entry: entry.name)
            buffer, at = memoryview(bytearray(sum(entry.stat().st_size for entry in files))), 0
            for entry in files:
                descriptor = os.open(entry.path, os.O_RDONLY)
                at += os.preadv(descriptor, [buffer[at : at + entry.stat().st_size]], 0)
                os.close(descriptor)
            if at != len(buffer):
                raise OSError(f"read {at} of {len(buffer)} bytes of {folder}")

    return run


BOUNDS = {"decode": decode, "transfer": transfer, "series": series, "pread": pread}

if __name__ == "__main__":
    _run = BOUNDS[sys.argv[1]](json.load(sys.stdin))
    _begin = time.perf_counter()
    _run()
    print(json.dumps({"seconds": time.perf_counter() - _begin}))
