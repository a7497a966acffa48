"""Volumes that come from no source: over another volume, or from an array."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import UsageError
from .identity import VolumeId
from .store.cache import cache
from .store.controller import Finished
from .store.image import extremes
from .store.layout import Layout, image_shape
from .store.segment import Segment
from .store.states import FULL
from .store.volume import Volume

#: What a derived volume shares with its reference.
_SHARED = ("study_uid", "frame_of_reference_uid", "patient_position", "affine", "is_placed", "tilt_degrees", "time")


def create_derived_volume(
    reference: Volume | str, *, dtype: npt.DTypeLike = "uint8", volume_id: str | None = None
) -> Volume:
    """A volume on the grid of another one, zero everywhere and complete: a label map, a result.

    reference: the volume, or the volumeId of a cached one. A colour volume gives one value a voxel.
    volume_id: to cache it as; nothing may be cached under this id.
    Its `range` is not known: voxels are yours to write.
    """
    if isinstance(reference, str):
        cached = cache.get(reference)
        if not isinstance(cached, Volume):
            raise UsageError("the reference is an image, not a volume")
        reference = cached
    slices, shape = reference.segment.slices, reference.shape
    leading = shape[: len(shape) - len(image_shape(shape, slices))]
    shared = {name: reference.metadata[name] for name in _SHARED if name in reference.metadata}
    return _create((*leading, *image_shape(shape, slices)[:2]), dtype, shared, slices, volume_id, None)


def create_local_volume(
    array: npt.ArrayLike,
    affine: npt.ArrayLike,
    *,
    units: str = "",
    is_colour: bool = False,
    volume_id: str | None = None,
) -> Volume:
    """A complete volume with a copy of `array`: (k, j, i) or (t, k, j, i), and 3 last if `is_colour`.

    affine: 4x4, (i, j, k, 1) -> LPS mm.
    volume_id: to cache it as; nothing may be cached under this id.
    """
    voxels = np.asarray(array)
    matrix = np.asarray(affine, np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or (matrix[3] != (0, 0, 0, 1)).any():
        raise UsageError("an affine is a finite 4x4 matrix whose last row is 0, 0, 0, 1")
    if np.linalg.matrix_rank(matrix[:3, :3]) < 3:
        raise UsageError("the affine is singular")
    leading = voxels.shape[: voxels.ndim - (3 if is_colour else 2)]
    if len(leading) not in (1, 2) or (is_colour and voxels.shape[-1] != 3) or not voxels.size:
        raise UsageError(f"{voxels.shape} is not the shape of a {'colour ' if is_colour else ''}volume")
    metadata = {"units": units, "affine": matrix.tolist(), "photometric": "RGB" if is_colour else "MONOCHROME2"}
    return _create(voxels.shape, voxels.dtype, metadata, math.prod(leading), volume_id, voxels)


def _create(
    shape: tuple[int, ...],
    dtype: npt.DTypeLike,
    metadata: dict[str, Any],
    slices: int,
    volume_id: str | None,
    voxels: npt.NDArray[Any] | None,
) -> Volume:
    """A complete volume, cached if it has an id; zero if there are no voxels."""
    name = None if volume_id is None else VolumeId.parse(volume_id).text
    if name is not None:
        metadata |= {"slices": {"addresses": [f"{name}?slice={index + 1}" for index in range(slices)]}}

    def admit(layout: Layout) -> None:
        if name is not None:
            cache.admit(layout.total_size, name)

    segment = Segment.create(shape, dtype, metadata, slices=slices, admit=admit)
    volume = Volume(segment, Finished(segment))
    try:
        _fill(volume, voxels)
        if name is not None:
            cache.put(name, volume)
    except BaseException:
        volume.close()
        raise
    return volume


def _fill(volume: Volume, voxels: npt.NDArray[Any] | None) -> None:
    """Write every slice, zeros too: only what is written has its memory for certain."""
    shape = image_shape(volume.shape, volume.segment.slices)
    with contextlib.closing(volume.segment.writer()) as writer:
        for index in range(volume.segment.slices):
            if voxels is None:
                writer.put(index, np.zeros(shape, volume.dtype), FULL)
            else:
                pixels = np.ascontiguousarray(voxels.reshape(-1, *shape)[index])
                writer.put(index, pixels, FULL, *extremes(pixels))
