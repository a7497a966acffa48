"""Decodes one codestream damaged in every way, in a process that may die: `python -m native.damage CASE PROGRESS`.

Writes the number of the attempt under way to the file PROGRESS, and one JSON object to stdout at the end.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator

import numpy as np

from volstream import _native
from volstream.errors import VolstreamError

from .codestreams import decode, encode, make_frame

CPU_SECONDS = 90
HEADER_BITS = 464
RANDOM_FLIPS = 400
#: name: codec, bits, samples, whether a cut stream is welcome
CASES = {
    "jpeg grey": ("jpeg", 8, 1, False),
    "jpeg colour": ("jpeg", 8, 3, False),
    "jpeg-ls grey": ("jpeg-ls", 12, 1, False),
    "jpeg-ls colour": ("jpeg-ls", 8, 3, False),
    "jpeg-2000 grey": ("jpeg-2000", 12, 1, False),
    "jpeg-2000 colour": ("jpeg-2000", 8, 3, False),
    "jpeg-2000 cut": ("jpeg-2000", 12, 1, True),
    "jpeg-2000 colour cut": ("jpeg-2000", 8, 3, True),
    "htj2k grey": ("htj2k", 16, 1, False),
    "htj2k colour": ("htj2k", 8, 3, False),
    "htj2k cut": ("htj2k", 16, 1, True),
}


def variants(data: bytes) -> Iterator[tuple[str, bytes]]:
    for length in range(len(data)):
        yield "cut", data[:length]
    bits = 8 * len(data)
    flips = np.random.default_rng(1).integers(bits, size=RANDOM_FLIPS)
    for kind, places in (("header", range(min(HEADER_BITS, bits))), ("flip", flips.tolist())):
        for place in places:
            damaged = bytearray(data)
            damaged[place // 8] ^= 1 << place % 8
            yield kind, bytes(damaged)


def main(case: str, progress: str) -> None:
    codec, bits, samples, is_cut_welcome = CASES[case]
    frame = make_frame(40, 40, bits, content="gradient", samples=samples)
    frame += np.random.default_rng(2).integers(0, 5, size=frame.shape).astype(frame.dtype)
    frame = np.minimum(frame, (1 << bits) - 1).astype(frame.dtype)
    data = encode(codec, frame, bits)
    whole = decode(codec, data, frame, bits)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    outcomes: Counter[str] = Counter()
    slowest = 0.0
    file = os.open(progress, os.O_WRONLY | os.O_CREAT)
    for number, (kind, damaged) in enumerate(variants(data)):
        os.pwrite(file, f"{number:6} {kind:6}".encode(), 0)
        start = time.process_time()
        _native.resolution_ends(damaged)
        if is_cut_welcome and kind != "cut":
            damaged = damaged[: len(damaged) * 2 // 3]
        try:
            out = decode(codec, damaged, frame, bits, allow_truncated=is_cut_welcome)
            outcome = "same" if np.array_equal(out, whole) else "other"
        except VolstreamError:
            outcome = "error"
        slowest = max(slowest, time.process_time() - start)
        outcomes[f"{kind} {outcome}"] += 1
    sys.stdout.write(json.dumps({"outcomes": outcomes, "slowest": slowest, "size": len(data)}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
