"""Writes the golden files: one small Part 10 file a transfer syntax, from encoders that are not ours.

    python tests/golden/make.py            # only what is missing; a file that is there is never written again

A golden file is evidence of what encoders wrote once: a decoder that disagrees with one is wrong, or was.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path

from volstream.samples import available_syntaxes, write_series

HERE = Path(__file__).parent
INDEX = HERE / "index.json"


def main() -> None:
    index = json.loads(INDEX.read_text()) if INDEX.exists() else {}
    for syntax in available_syntaxes():
        if syntax in index:
            continue
        with tempfile.TemporaryDirectory() as folder:
            truth = write_series(folder, slices=1, rows=40, columns=57, seed=7, transfer_syntax=syntax)
            shutil.copy(truth.files[0], HERE / f"{syntax}.dcm")
        digest = hashlib.sha256(truth.array.astype("<i2").tobytes()).hexdigest()
        index[syntax] = {"sha256": digest, "mean": float(truth.array.mean()), "tolerance": truth.tolerance}
    INDEX.write_text(json.dumps(index, indent=1) + "\n")


if __name__ == "__main__":
    main()
