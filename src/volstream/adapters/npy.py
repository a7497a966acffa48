"""NumPy's own format, with a JSON file of the same name for what it cannot hold."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from volstream.adapters.describe import describe
from volstream.adapters.files import Voxels


def write(volume: Voxels, path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, volume.array)
    path.with_suffix(".json").write_text(json.dumps(describe(volume), indent=1) + "\n", encoding="utf-8")
