"""What is written beside voxels whose format has no room for geometry."""

from __future__ import annotations

from typing import Any

from volstream.adapters.files import Voxels, is_colour

_KEPT = ("modality", "description", "study_uid", "series_uid", "frame_of_reference_uid", "findings", "time")


def axes(volume: Voxels) -> list[str]:
    """Names of the array's axes, slowest first."""
    spatial = ["z", "y", "x"] + ["c"] * is_colour(volume)
    return ["t"] * (volume.array.ndim - len(spatial)) + spatial


def describe(volume: Voxels) -> dict[str, Any]:
    """JSON-able; nothing in it tells who the patient is or where the images came from."""
    return {
        "axes": axes(volume),
        "shape": list(volume.array.shape),
        "dtype": str(volume.array.dtype),
        "units": volume.units,
        "affine": volume.affine.tolist(),
        "affine_maps": "(x index, y index, z index, 1) to LPS mm",
        **{key: volume.metadata[key] for key in _KEPT if volume.metadata.get(key)},
    }
