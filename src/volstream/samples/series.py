"""Writes a sample series into a folder, and says what its volume has to be."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volstream import syntaxes as ts
from volstream.errors import UsageError
from volstream.records import Vector3
from volstream.samples import instance
from volstream.samples.scanner import Scanner
from volstream.samples.syntaxes import Encoder, encoder

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
#: Height of the scanned part of the patient, and width of the CT's and the PET's field of view, mm.
HEIGHT = 300.0
FIELD = {"ct": 400.0, "pet": 800.0}
MATRIX = {"ct": 512, "pet": 200}
#: Standard deviation of a CT, HU, if nothing else is asked for.
CT_NOISE = 12.0


@dataclass(frozen=True, slots=True)
class Truth:
    """What a reader of a sample series must find."""

    folder: Path
    #: Real-world values (k, j, i): int16 HU or float32 Bq/ml.
    array: NDArray[Any]
    #: (i, j, k, 1) -> LPS mm.
    affine: NDArray[np.float64]
    study_uid: str
    series_uid: str
    #: SOP Instance UIDs in order of k; one alone for an enhanced object.
    uids: tuple[str, ...]
    files: tuple[Path, ...]
    transfer_syntax: str
    units: str
    #: Largest difference from `array` that a lossy syntax is expected to leave, in real-world units.
    tolerance: float
    #: SUVbw per Bq/ml, for PET.
    suv_factor: float | None = None


def write_series(
    folder: str | os.PathLike[str],
    kind: str = "ct",
    *,
    slices: int = 60,
    rows: int | None = None,
    columns: int | None = None,
    seed: int = 0,
    transfer_syntax: str = ts.EXPLICIT,
    signed: bool = False,
    orientation: tuple[float, ...] = AXIAL,
    enhanced: bool = False,
    noise: float | None = None,
) -> Truth:
    """Write `kind` ("ct" or "pet") of the synthetic patient into `folder`, one file a slice, or one file in all if
    `enhanced` (CT only). CT has 12 unsigned bits with intercept -1024, or 16 signed ones with intercept 0; PET
    has 16 unsigned bits and a slope for each slice. `noise` is the CT's standard deviation in HU, 12 if None: what a
    lossless codec makes of a slice is mostly that. Series of one seed share the study and frame of reference.

    UsageError for options that exclude each other, UnsupportedError for a syntax that nothing installed writes.
    """
    row = encoder(transfer_syntax)
    _check(kind, row, signed, enhanced, noise)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rows, columns = rows or MATRIX[kind], columns or MATRIX[kind]
    grid = instance.Grid(rows, columns, (FIELD[kind] / rows, FIELD[kind] / columns), orientation, HEIGHT / slices)
    label = (seed, kind, slices, rows, columns, transfer_syntax, signed, orientation, enhanced, noise)
    identity = instance.Identity(
        kind,
        instance.uid(seed, "study"),
        instance.uid(*label, "series"),
        instance.uid(seed, "frame of reference"),
        f"{kind.upper()} phantom, {ts.SYNTAXES[transfer_syntax].name}",
    )
    affine = _affine(grid, slices)
    positions = [_vector(affine @ (0, 0, k, 1)) for k in range(slices)]
    uids = [instance.uid(*label, k) for k in range(1 if enhanced else slices)]
    # Head first, as scanners number them: instance 1 is the topmost slice.
    numbers = [len(uids) - k for k in range(len(uids))]
    files = [folder / f"IM{number:04d}.dcm" for number in numbers]
    scanner = Scanner(kind, grid, slices, seed, row, CT_NOISE if noise is None else noise, signed)
    array = np.empty((slices, rows, columns), np.float32 if kind == "pet" else np.int16)

    def frame(k: int) -> tuple[bytes, instance.Values]:
        stored, values = scanner.frame(k)
        array[k] = stored.astype(np.float64) * values.slope + values.intercept
        return row.encode(stored, values.bits_stored), values

    def write(k: int) -> instance.Values:
        data, values = frame(k)
        image = instance.single_frame(
            identity, grid, values, positions[k], sop_uid=uids[k], number=numbers[k], count=slices
        )
        instance.save(files[k], image, [data], transfer_syntax)
        return values

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        if enhanced:
            frames, meanings = zip(*pool.map(frame, range(slices)), strict=True)
            image = instance.enhanced(identity, grid, meanings[0], positions, sop_uid=uids[0])
            instance.save(files[0], image, frames, transfer_syntax)
        else:
            meanings = tuple(pool.map(write, range(slices)))
    tolerance = row.tolerance * max(values.slope for values in meanings)
    if tolerance:  # and what float32 rounds away on both sides
        tolerance += 2 * float(np.spacing(np.float32(array.max())))
    return Truth(
        folder=folder,
        array=array,
        affine=affine,
        study_uid=identity.study_uid,
        series_uid=identity.series_uid,
        uids=tuple(uids),
        files=tuple(files),
        transfer_syntax=transfer_syntax,
        units="BQML" if kind == "pet" else "HU",
        tolerance=tolerance,
        suv_factor=instance.suv_factor() if kind == "pet" else None,
    )


def _check(kind: str, row: Encoder, signed: bool, enhanced: bool, noise: float | None) -> None:
    if kind not in FIELD:
        raise UsageError(f"no sample kind {kind!r}; there are {', '.join(FIELD)}")
    if kind == "pet" and (enhanced or signed or row.bits > 0):
        raise UsageError("PET samples are single-frame objects of unsigned 16-bit values")
    if noise is not None and (kind == "pet" or not noise >= 0):
        raise UsageError("noise is a CT's standard deviation in HU, 0 or more")
    if signed and (not row.signed or row.bits > 0):
        raise UsageError("this transfer syntax cannot keep signed values")


def _affine(grid: instance.Grid, slices: int) -> NDArray[np.float64]:
    """The middle of the volume is the origin of the patient."""
    along_row, along_column = np.array(grid.orientation).reshape(2, 3)
    affine = np.eye(4)
    affine[:3, 0] = along_row * grid.spacing[1]
    affine[:3, 1] = along_column * grid.spacing[0]
    affine[:3, 2] = np.cross(along_row, along_column) * grid.thickness
    affine[:3, 3] = -affine[:3, :3] @ ((grid.columns - 1) / 2, (grid.rows - 1) / 2, (slices - 1) / 2)
    return affine


def _vector(point: NDArray[np.float64]) -> Vector3:
    return (float(point[0]), float(point[1]), float(point[2]))
