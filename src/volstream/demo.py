"""The demo: an embedded DICOMweb server with two generated series, loaded over loopback, shown as a picture.

python -m volstream.demo [FOLDER]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from .adapters.files import save
from .api import load
from .samples import best_syntax, write_series
from .server import serve

#: kind, slices, title of the row
SERIES = (("ct", 120), ("pet", 80))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="volstream.demo", description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default="demo-output", help="where the pictures go (default: %(default)s)")
    folder = Path(parser.parse_args(argv).folder)
    folder.mkdir(parents=True, exist_ok=True)
    rows = [("series", "shape", "dtype", "units", "range", "seconds", "MB/s", "picture")]
    with tempfile.TemporaryDirectory() as temporary:
        for kind, slices in SERIES:
            write_series(Path(temporary) / kind, kind=kind, slices=slices, transfer_syntax=best_syntax())
        with serve(temporary) as server:
            print(f"serving {len(server.series)} generated series on {server.url}")
            for url, (kind, _) in zip(server.series, SERIES, strict=True):
                begin = time.perf_counter()
                with load(url, progress=True) as volume:
                    seconds = time.perf_counter() - begin
                    picture = folder / f"{kind}.png"
                    save(volume, picture)
                    low, high = volume.range
                    shape = " x ".join(map(str, volume.shape))
                    rate = volume.array.nbytes / seconds / 1e6
                    rows.append(
                        (
                            kind.upper(),
                            shape,
                            str(volume.dtype),
                            volume.units,
                            f"{low:g} .. {high:g}",
                            f"{seconds:.2f}",
                            f"{rate:.0f}",
                            str(picture),
                        )
                    )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    print()
    for row in rows:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


if __name__ == "__main__":
    sys.exit(main())
