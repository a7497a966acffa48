"""Stored values as scanners store them: the phantom's planes, quantised."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from volstream.samples import phantom
from volstream.samples.instance import Grid, Values
from volstream.samples.syntaxes import Encoder, Frame


@dataclass(frozen=True)
class Scanner:
    """Makes the frames of one series. Each slice has its own random state, so slices can be made in any order,
    by several threads, and are the same whatever the transfer syntax."""

    kind: str
    grid: Grid
    slices: int
    seed: int
    encoder: Encoder
    #: Standard deviation of the CT, HU.
    noise: float
    signed: bool = False

    @cached_property
    def organs(self) -> phantom.Organs:
        return phantom.anatomy(self.seed)

    def frame(self, k: int) -> tuple[Frame, Values]:
        """Stored values of slice `k`, counted from the feet, and what they mean."""
        return self._pet(k) if self.kind == "pet" else self._ct(k)

    def _ct(self, k: int) -> tuple[Frame, Values]:
        hu = np.rint(phantom.ct_plane(*self._view(k), self.noise))
        if self.signed:
            return np.clip(hu, -1024, 3071).astype(np.int16), Values(16, 16, True, intercept=0.0)
        stored = np.clip(hu + 1024, 0, 4095).astype(np.uint16)
        if self.encoder.bits == 8:
            return (stored >> 4).astype(np.uint8), Values(8, 8, slope=16.0)
        return stored, Values(bits_stored=16 if self.encoder.bits < 0 else 12)

    def _pet(self, k: int) -> tuple[Frame, Values]:
        activity = phantom.pet_plane(*self._view(k))
        # The brightest voxel of each slice gets the largest value that signed readers hold, as scanners do it.
        slope = float(f"{activity.max() / 32767:.9g}")
        stored = np.clip(np.rint(activity / slope), 0, 32767).astype(np.uint16)
        return stored, Values(bits_stored=16, slope=slope, intercept=0.0)

    def _view(self, k: int) -> tuple[phantom.Organs, float, phantom.Plane, phantom.Plane, np.random.Generator]:
        grid = self.grid
        z = (k - (self.slices - 1) / 2) * grid.thickness
        x = (np.arange(grid.columns) - (grid.columns - 1) / 2) * grid.spacing[1]
        y = (np.arange(grid.rows) - (grid.rows - 1) / 2) * grid.spacing[0]
        return self.organs, z, x.astype(np.float32), y.astype(np.float32), np.random.default_rng((self.seed, k))
