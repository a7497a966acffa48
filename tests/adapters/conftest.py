"""Volumes to write: plain objects with what a writer reads."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray


@dataclass
class Voxels:
    array: NDArray[Any]
    affine: NDArray[np.float64]
    units: str = "HU"
    metadata: dict[str, Any] = field(default_factory=lambda: {"modality": "CT", "photometric": "MONOCHROME2"})

    def place(self, i: float, j: float, k: float) -> NDArray[np.float64]:
        """LPS mm of a voxel index."""
        point: NDArray[np.float64] = (self.affine @ (i, j, k, 1))[:3]
        return point


def affine_of(orientation: tuple[float, ...], step: tuple[float, float, float]) -> NDArray[np.float64]:
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = np.multiply(orientation[:3], 0.8), np.multiply(orientation[3:], 0.9)
    affine[:3, 2], affine[:3, 3] = step, (-100.5, 33.25, 7.125)
    return affine


LEAN = math.radians(15)
AFFINES = {
    "axial": affine_of((1, 0, 0, 0, 1, 0), (0, 0, 2.5)),
    "sagittal": affine_of((0, 1, 0, 0, 0, -1), (-2.5, 0, 0)),
    "oblique": affine_of((0.8, 0.6, 0, 0, 0, -1), (-1.5, 2.0, 0)),
    "tilted": affine_of((1, 0, 0, 0, math.cos(LEAN), math.sin(LEAN)), (0, 0, 2.5)),
}


VALUES = np.arange(-100, 110, dtype=np.int16).reshape(5, 6, 7)


@pytest.fixture(params=AFFINES)
def voxels(request: pytest.FixtureRequest) -> Voxels:
    """5 slices of 6 rows and 7 columns, no two voxels alike."""
    return Voxels(VALUES.copy(), AFFINES[request.param])


@pytest.fixture
def axial() -> Voxels:
    """The same, where the geometry does not matter."""
    return Voxels(VALUES.copy(), AFFINES["axial"])


@pytest.fixture(scope="session", autouse=True)
def zarr_threads() -> Iterator[None]:
    """zarr keeps its threads for the life of the process: start all of them before the first test counts threads."""
    import zarr

    with zarr.config.set({"threading.max_workers": 1}):
        zarr.create_array({}, shape=(2,), dtype="u1")[:] = 1
        yield
