"""NRRD, through pynrrd."""

from __future__ import annotations

from pathlib import Path

import nrrd
import numpy as np

from volstream.adapters.files import Voxels, is_colour

NO_DIRECTION = [np.full(3, np.nan)]


def write(volume: Voxels, path: Path) -> None:
    """Uncompressed; the space is left-posterior-superior as ours, and its directions keep the shear of a tilt."""
    colour, series = is_colour(volume), volume.array.ndim - is_colour(volume) - 3
    header = {
        "space": "left-posterior-superior",
        # Axes in the order of the file, fastest first: colour, i, j, k, t.
        "kinds": ["RGB-color"] * colour + ["domain"] * 3 + ["list"] * series,
        "space directions": np.array(NO_DIRECTION * colour + [*volume.affine[:3, :3].T] + NO_DIRECTION * series),
        "space origin": volume.affine[:3, 3],
        "space units": ["mm"] * 3,
        "encoding": "raw",
    }
    if volume.units:
        header["sample units"] = volume.units
    nrrd.write(str(path), volume.array, header, index_order="C")
