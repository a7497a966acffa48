"""Decoding leaves the interpreter to others, and threads do not disturb each other."""

from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from volstream import _native

from .lossless_encoder import encode
from .single_frames import spec_of


def test_another_thread_runs_during_a_decode() -> None:
    # With a switch interval beyond the test's length nobody is preempted: the other thread, which offers the
    # interpreter at every step, only gets it if the decode itself lets go of it.
    rows = columns = 2048
    data = np.zeros((rows, columns), np.uint16)
    out = np.zeros((rows, columns), np.float32)
    spec = spec_of("raw", rows, columns, slope=0.5)
    started, counts = threading.Event(), [0]
    stop = False

    def count() -> None:
        started.set()
        while not stop:
            counts[0] += 1
            time.sleep(0)

    before = sys.getswitchinterval()
    other = threading.Thread(target=count)
    try:
        other.start()
        started.wait()
        sys.setswitchinterval(1000)
        seen = set()
        for _ in range(20):
            _native.decode(spec, data, out, 0, "float32")
            seen.add(counts[0])
    finally:
        sys.setswitchinterval(before)
        stop = True
        other.join()
    assert len(seen) > 1


def test_threads_get_exact_results_at_the_same_time() -> None:
    rng = np.random.default_rng(1)
    images = [rng.integers(0, 4096, (37 + i, 53 - i), dtype=np.uint16) for i in range(4)]
    streams = [encode(image, 12, predictor=i + 1) for i, image in enumerate(images)]
    volume = np.zeros((64, 64, 64), np.int32)

    def place(index: int) -> None:
        image = images[index % 4]
        codec, data = ("raw", image.tobytes()) if index % 3 else ("jpeg-lossless", streams[index % 4])
        spec = spec_of(codec, *image.shape, bits_stored=12, intercept=-index)
        low, high = _native.decode(spec, data, volume, index * 64 * 64 * 4, "int32", 64 * 4)
        assert (low, high) == (int(image.min()) - index, int(image.max()) - index)

    with ThreadPoolExecutor(4) as threads:
        for _ in range(5):
            list(threads.map(place, range(64)))
    for index in range(64):
        rows, columns = images[index % 4].shape
        np.testing.assert_array_equal(volume[index, :rows, :columns], images[index % 4].astype(np.int32) - index)
        assert not volume[index, rows:].any()
        assert not volume[index, :, columns:].any()
