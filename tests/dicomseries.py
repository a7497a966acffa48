"""How the series of `dicomfactory` are made and written."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from volstream import syntaxes as ts
from volstream.samples import instance
from volstream.samples.instance import Grid, Identity, Values
from volstream.samples.syntaxes import encoder

ROWS, COLUMNS, SLICES, STEP = 24, 32, 12, 2.5
SPACING = (0.9, 0.8)
ORIGIN = (-100.0, -80.0, 40.0)
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@dataclass
class Case:
    """A series on disk. `array`, `affine` and `uids` tell of the regular volume, missing slices included."""

    folder: Path
    #: Real-world values (k, j, i), or (t, k, j, i).
    array: NDArray[Any]
    #: (i, j, k, 1) -> LPS mm.
    affine: NDArray[np.float64]
    #: SOP Instance UIDs in the order of k (then of t).
    uids: tuple[str, ...]
    #: Instances that are odd in the way the case is about: missing, moved, repeated, stray, damaged.
    odd: tuple[str, ...]
    files: dict[str, Path]


@dataclass(eq=False)
class Slice:
    image: Dataset
    stored: NDArray[Any]
    name: str
    odd: bool = False

    @property
    def uid(self) -> str:
        return str(self.image.SOPInstanceUID)

    @property
    def values(self) -> NDArray[np.float64]:
        return self.stored * float(self.image.RescaleSlope) + float(self.image.RescaleIntercept)


@dataclass
class Series:
    """A series in the making."""

    identity: Identity
    grid: Grid
    #: From one slice to the next, LPS mm.
    step: tuple[float, ...]
    slices: list[Slice] = field(default_factory=list)
    #: Written beside the slices, but no part of the volume.
    strays: list[Slice] = field(default_factory=list)
    #: Slices that are left out.
    absent: list[Slice] = field(default_factory=list)
    #: Other files in the folder.
    litter: dict[str, bytes] = field(default_factory=dict)
    transfer_syntax: str = ts.EXPLICIT
    time_points: int = 1
    #: All slices in one object.
    enhanced: bool = False
    #: What NumberOfFrames says, if it does not tell the truth.
    claimed_frames: int | None = None
    #: Bytes cut off the end of the odd slices' files.
    cut: int = 0

    def odd(self, index: int) -> Slice:
        chosen = self.slices[index]
        chosen.odd = True
        return chosen


def plain(kind: str = "ct", *, grid: Grid | None = None, count: int = SLICES, label: str = "plain") -> Series:
    """The series that all cases begin with."""
    grid = grid or Grid(ROWS, COLUMNS, SPACING, AXIAL, STEP)
    step = STEP * np.cross(grid.orientation[:3], grid.orientation[3:])
    identity = Identity(kind, *(instance.uid(label, kind, what) for what in ("study", "series", "frame")), label)
    series = Series(identity, grid, tuple(step.tolist()))
    random = np.random.default_rng(len(label))
    ramp = np.add.outer(np.arange(grid.rows) * 7, np.arange(grid.columns) * 3)
    for k in range(count):
        stored = (ramp + 40 * k + random.integers(0, 900, ramp.shape)).astype(np.uint16)
        values = Values() if kind == "ct" else Values(bits_stored=16, slope=0.25 + 0.0625 * k, intercept=0.0)
        x, y, z = (np.array(ORIGIN) + k * step).tolist()
        image = instance.single_frame(
            identity, grid, values, (x, y, z), sop_uid=instance.uid(label, kind, k), number=k + 1, count=count
        )
        series.slices.append(Slice(image, stored, f"{k + 1:03d}.dcm"))
    return series


def write(series: Series, folder: Path) -> Case:
    """Write the series, odd as it may be, and say what is true of it."""
    folder.mkdir(parents=True, exist_ok=True)
    files = _write_enhanced(series, folder) if series.enhanced else _write(series, folder)
    for litter, content in series.litter.items():
        (folder / litter).write_bytes(content)
    return Case(
        folder,
        _truth(series),
        _affine(series),
        tuple(each.uid for each in series.slices),
        tuple(each.uid for each in series.slices + series.strays if each.odd),
        files,
    )


def _write(series: Series, folder: Path) -> dict[str, Path]:
    files = {}
    encode = encoder(series.transfer_syntax).encode
    for each in series.slices + series.strays:
        if each not in series.absent:
            path = files[each.uid] = folder / each.name
            instance.save(path, each.image, [encode(each.stored, each.image.BitsStored)], series.transfer_syntax)
            if series.cut and each.odd:
                path.write_bytes(path.read_bytes()[: -series.cut])
    return files


def _write_enhanced(series: Series, folder: Path) -> dict[str, Path]:
    positions = [tuple(map(float, each.image.ImagePositionPatient)) for each in series.slices]
    image = instance.enhanced(series.identity, series.grid, Values(), positions, sop_uid=series.slices[0].uid)
    image.NumberOfFrames = series.claimed_frames or len(positions)
    encode = encoder(series.transfer_syntax).encode
    frames = [encode(each.stored, image.BitsStored) for each in series.slices]
    path = folder / "enhanced.dcm"
    instance.save(path, image, frames, series.transfer_syntax)
    return {series.slices[0].uid: path}


def _truth(series: Series) -> NDArray[Any]:
    """A slice of another size than the rest is left zero."""
    grid = series.grid
    array = np.zeros((len(series.slices), grid.rows, grid.columns))
    for k, each in enumerate(series.slices):
        if each.stored.shape == array.shape[1:]:
            array[k] = each.values
    if series.time_points > 1:
        array = array.reshape(series.time_points, -1, grid.rows, grid.columns)
    return array.astype(np.int16 if series.identity.kind == "ct" else np.float32)


def _affine(series: Series) -> NDArray[np.float64]:
    affine = np.eye(4)
    affine[:3, 0] = np.array(series.grid.orientation[:3]) * series.grid.spacing[1]
    affine[:3, 1] = np.array(series.grid.orientation[3:]) * series.grid.spacing[0]
    affine[:3, 2], affine[:3, 3] = series.step, ORIGIN
    return affine
