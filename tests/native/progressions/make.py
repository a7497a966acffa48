"""Writes the codestreams beside it, with OpenJPEG's `opj_compress`: orders, markers and styles that no module writes.

    python tests/native/progressions/make.py            # only what is missing

One small frame each; `NAME.j2k` is made with the options of `OPTIONS[NAME]`.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).parent
ROWS, COLUMNS, LEVELS = 45, 56, 4

OPTIONS = {
    "rpcl-tileparts-tlm-plt": "-p RPCL -TP R -TLM -PLT",
    "rlcp-tileparts": "-p RLCP -TP R",
    "rpcl-precincts-plt": "-p RPCL -c [16,16] -PLT",
    "rpcl-precincts-tlm": "-p RPCL -c [32,32],[16,16] -TP C -TLM",
    "rpcl-layers-tileparts-plt": "-p RPCL -r 20,5,1 -TP L -PLT",
    "rlcp-layers-precincts-sop-eph": "-p RLCP -r 20,5,1 -c [32,32] -SOP -EPH",
    "lrcp-bypass": "-p LRCP -M 1",
    "rlcp-layers-bypass-terminated": "-p RLCP -r 40,20,10,5,1 -M 5",
    "lrcp-every-style-small-blocks": "-p LRCP -M 63 -b 4,8",
    "rpcl-lossy": "-p RPCL -I -r 8",
    "colour-rpcl-precincts-eph": "-p RPCL -c [16,16] -EPH",
    "colour-rlcp-layers": "-p RLCP -r 20,5,1",
}


def image(name: str) -> NDArray[np.uint8]:
    """What was encoded: (rows, columns), or (rows, columns, 3) in colour."""
    y, x = np.mgrid[:ROWS, :COLUMNS]
    noise = np.random.default_rng(5).normal(0, 4, (ROWS, COLUMNS))
    grey = (128 + 100 * np.sin(x / 9) * np.cos(y / 7) + noise).clip(0, 255).astype(np.uint8)
    return np.stack([grey, grey[::-1], grey[:, ::-1]], axis=-1) if name.startswith("colour") else grey


def main() -> None:
    for name, options in OPTIONS.items():
        target = HERE / f"{name}.j2k"
        if target.exists():
            continue
        pixels = image(name)
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "frame.ppm" if pixels.ndim == 3 else "frame.pgm")
            kind = "P6" if pixels.ndim == 3 else "P5"
            source.write_bytes(f"{kind}\n{COLUMNS} {ROWS}\n255\n".encode() + pixels.tobytes())
            command = ["opj_compress", "-i", str(source), "-o", str(target), "-n", str(LEVELS + 1), *options.split()]
            subprocess.run(command, check=True, capture_output=True)


if __name__ == "__main__":
    main()
