"""Try volstream as a stranger would: load one small series of every transfer syntax and compare the voxels.

test_wheel.py            with the volstream of this environment, which also needs the encoders (extra "test")
test_wheel.py WHEEL      with this wheel in a new, empty environment; this one only writes the series
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import numpy as np


def write(folder: Path) -> None:
    """One series of each syntax that an installed encoder can write, and what its voxels have to be."""
    from volstream.samples import available_syntaxes, write_series

    tolerances = {}
    for syntax in available_syntaxes():
        truth = write_series(folder / syntax, slices=3, rows=64, columns=96, transfer_syntax=syntax)
        np.save(folder / f"{syntax}.npy", truth.array)
        tolerances[syntax] = truth.tolerance
    (folder / "tolerances.json").write_text(json.dumps(tolerances))


def load(folder: Path) -> list[str]:
    """Load them all; names what went wrong. A syntax without a decoder here must say so, as UnsupportedError."""
    import volstream
    from volstream.decoders import decoder_table

    wrong = []
    decoders = {row["transfer syntax"]: row["decoder"] for row in decoder_table()}
    for syntax, tolerance in json.loads((folder / "tolerances.json").read_text()).items():
        decoder = decoders[syntax]
        try:
            with volstream.load(str(folder / syntax)) as volume:
                error = np.abs(volume.array.astype(float) - np.load(folder / f"{syntax}.npy")).max()
            right, result = error <= tolerance, f"largest difference {error:g}, allowed {tolerance:g}"
        except volstream.VolstreamError as failure:
            right = decoder == "none" and isinstance(failure, volstream.UnsupportedError)
            result = f"{type(failure).__name__}: {failure}"
        print(f"{'ok   ' if right else 'WRONG'} {syntax:24} {decoder:32} {result}")
        if not right:
            wrong.append(syntax)
    return wrong


def try_wheel(wheel: Path, folder: Path) -> int:
    """Install the wheel where nothing else is, and let that environment load the series."""
    environment = folder / "environment"
    venv.create(environment, with_pip=True)
    scripts = environment / ("Scripts" if sys.platform == "win32" else "bin")
    subprocess.run([scripts / "python", "-m", "pip", "install", "-qq", wheel.resolve()], check=True)
    subprocess.run([scripts / "volstream", "info"], check=True, cwd=folder)
    return subprocess.run([scripts / "python", Path(__file__).resolve(), "--load", folder], cwd=folder).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", nargs="?", type=Path)
    parser.add_argument("--load", type=Path, metavar="FOLDER", help="only load what an earlier run wrote there")
    arguments = parser.parse_args()
    if arguments.load:
        return bool(load(arguments.load))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder)
        return try_wheel(arguments.wheel, folder) if arguments.wheel else bool(load(folder))


if __name__ == "__main__":
    sys.exit(main())
