"""The plan: everything about a volume that is known before its first voxel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from volstream.records import Finding, FrameRecord, Rescale

Float64Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Geometry:
    """Where the voxels lie in the patient, in LPS millimetres.

    `affine` (4x4) maps the index (i, j, k, 1) - column, row, slice - to a point. Its third column is the step from
    slice to slice as the headers have it, so a gantry tilt is there as exact shear. k ascends along row x column.
    `findings` holds what a careful reader should know; `is_placed` is False where the headers give no position,
    in which case the affine only carries spacings.
    """

    affine: Float64Array
    findings: tuple[Finding, ...] = ()
    is_placed: bool = True

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between voxel centres along i, j, k in mm; along k it is measured along the (tilted) step."""
        i, j, k = (float(length) for length in np.linalg.norm(self.affine[:3, :3], axis=0))
        return i, j, k

    @property
    def origin(self) -> tuple[float, float, float]:
        """Centre of the voxel (0, 0, 0), LPS mm."""
        x, y, z = (float(value) for value in self.affine[:3, 3])
        return x, y, z

    @property
    def direction(self) -> Float64Array:
        """3x3, unit vectors of i, j, k as columns; the third is not orthogonal to the others under tilt."""
        direction: Float64Array = self.affine[:3, :3] / np.linalg.norm(self.affine[:3, :3], axis=0)
        return direction

    @property
    def tilt_degrees(self) -> float:
        """Angle between the step from slice to slice and the normal of the slices."""
        row, column, step = self.affine[:3, :3].T
        normal = np.cross(row, column)
        in_plane = np.linalg.norm(np.cross(normal, step))
        return math.degrees(math.atan2(float(in_plane), float(normal @ step)))


@dataclass(frozen=True, slots=True)
class Slot:
    """One slice of the volume: the frame that fills it (None: a gap) and how its stored values are to be rescaled."""

    record: FrameRecord | None
    rescale: Rescale


@dataclass(frozen=True, slots=True, eq=False)
class VolumePlan:
    """What will be built. `slots` are in memory order: k fastest, then t."""

    #: (k, j, i), (t, k, j, i), and a last axis of 3 for colour.
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    geometry: Geometry
    #: "HU", "BQML", "GY", ...; empty for raw values.
    units: str
    slots: tuple[Slot, ...]
    #: Real-world value of the voxels that no image covers.
    fill: float
    #: JSON-able; goes into the shared segment.
    metadata: dict[str, Any]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def slice_bytes(self) -> int:
        return self.nbytes // len(self.slots)
