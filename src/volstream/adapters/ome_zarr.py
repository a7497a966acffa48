"""Zarr version 3, readable as OME-Zarr 0.5 (one resolution)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import zarr

from volstream.adapters.describe import axes, describe
from volstream.adapters.files import Voxels

_SPACE = {"type": "space", "unit": "millimeter"}
_KINDS: dict[str, dict[str, Any]] = {"t": {"type": "time"}, "c": {"type": "channel"}}


def write(volume: Voxels, path: Path) -> None:
    """Array "0" in a group, one slice a chunk. OME-Zarr knows scales and no directions: the attribute "volstream"
    holds the affine. Colour goes first among the spatial axes, where OME-Zarr 0.5 wants channels."""
    names, array = axes(volume), volume.array
    if "c" in names:
        array = np.moveaxis(array, -1, -4)
        names = [*names[:-4], "c", "z", "y", "x"]
    spacing = np.linalg.norm(volume.affine[:3, :3], axis=0)[::-1]
    scale = [1.0] * (array.ndim - 3) + spacing.tolist()
    multiscale = {
        "axes": [{"name": name} | _KINDS.get(name, _SPACE) for name in names],
        "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}],
    }
    attributes = {"ome": {"version": "0.5", "multiscales": [multiscale]}, "volstream": describe(volume)}
    group = zarr.create_group(path, zarr_format=3, attributes=attributes)
    chunks = (1,) * (array.ndim - 2) + array.shape[-2:]
    group.create_array("0", data=np.ascontiguousarray(array), chunks=chunks, dimension_names=names)
