"""A picture of a volume: its middle axial, coronal and sagittal planes side by side, to scale.

Seen as radiologists do: the patient's right on the left of the picture, the head up, the nose to the left.
"""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from volstream.adapters.files import Voxels, is_colour
from volstream.adapters.png import encode_png

Array = npt.NDArray[Any]

#: Pixels of the longest side of the volume, and on both sides of a panel.
SIDE, GAP = 480, 4
#: 5 x 7 letters, a row a number.
LETTERS = {
    "R": (30, 17, 17, 30, 20, 18, 17),
    "L": (16, 16, 16, 16, 16, 16, 31),
    "A": (14, 17, 17, 31, 17, 17, 17),
    "P": (30, 17, 17, 30, 16, 16, 16),
    "S": (15, 16, 16, 14, 1, 1, 30),
    "I": (14, 4, 4, 4, 4, 4, 14),
}


def write(volume: Voxels, path: Path) -> None:
    path.write_bytes(encode_png(montage(volume)))


def montage(volume: Voxels) -> npt.NDArray[np.uint8]:
    """(rows, columns) grey or (rows, columns, 3) RGB; the first time point of several."""
    voxels, spacing = _patient_axes(volume)
    scale = SIDE / max(length * step for length, step in zip(voxels.shape[:3], spacing, strict=True))
    z, y, x = (length // 2 for length in voxels.shape[:3])
    dz, dy, dx = (step * scale for step in spacing)
    planes = (
        (voxels[z], dy, dx, "ARPL"),
        (voxels[::-1, y], dz, dx, "SRIL"),
        (voxels[::-1, :, x], dz, dy, "SAIP"),
    )
    low, high, inverted = _window(volume, voxels)
    panels = []
    for plane, row, column, letters in planes:
        grey = np.clip((_resize(np.nan_to_num(plane), row, column) - low) * (255 / (high - low)), 0, 255)
        grey = grey.astype(np.uint8)
        panels.append(_label(255 - grey if inverted else grey, letters))
    height = max(len(panel) for panel in panels)
    framed = [_centre(panel, height, 255 if inverted else 0) for panel in panels]
    return np.concatenate(framed, axis=1)[:, GAP:-GAP]


def _patient_axes(volume: Voxels) -> tuple[Array, tuple[float, float, float]]:
    """Voxels as (z, y, x), each ascending to head, back and left as nearly as whole axes can, and their spacing."""
    array = volume.array
    while array.ndim - is_colour(volume) > 3:
        array = array[0]
    steps = volume.affine[:3, :3]
    spacing = np.linalg.norm(steps, axis=0)
    direction = steps / spacing
    # Which of the index axes i, j, k runs along x, which along y, which along z.
    order = max(itertools.permutations(range(3)), key=lambda p: sum(abs(direction[axis, p[axis]]) for axis in range(3)))
    axes = [2 - order[axis] for axis in (2, 1, 0)]  # of the array, which has k first
    turned = np.transpose(array, axes + [3] * is_colour(volume))
    flips = tuple(slice(None, None, -1 if direction[axis, order[axis]] < 0 else 1) for axis in (2, 1, 0))
    return turned[flips], (float(spacing[order[2]]), float(spacing[order[1]]), float(spacing[order[0]]))


def _window(volume: Voxels, voxels: Array) -> tuple[float, float, bool]:
    """Values that are black and white, and whether the other way round, as PET is read."""
    if is_colour(volume):
        return 0.0, float(np.iinfo(voxels.dtype).max), False
    is_pet = volume.metadata.get("modality") == "PT"
    window = volume.metadata.get("window")
    if window and not is_pet:
        centre, width = window
        return centre - width / 2, centre + max(width, 1) / 2, False
    sample = voxels[tuple(slice(None, None, max(1, length // 64)) for length in voxels.shape)]
    sample = sample[np.isfinite(sample)]
    low, high = np.percentile(sample, (1.0, 99.7)).tolist() if sample.size else (0.0, 1.0)
    low = min(low, 0.0) if is_pet else low
    return (low, high, is_pet) if high > low else (low, low + 1, is_pet)


def _resize(plane: Array, rows: float, columns: float) -> Array:
    """Linear interpolation to square pixels; a pixel of `plane` becomes `rows` x `columns` of them."""
    for axis, factor in ((0, rows), (1, columns)):
        size = plane.shape[axis]
        at = (np.arange(max(1, math.floor(size * factor))) + 0.5) / factor - 0.5
        at = np.clip(at, 0, size - 1)
        below = np.minimum(at.astype(int), max(size - 2, 0))
        weight = (at - below).reshape([-1 if n == axis else 1 for n in range(plane.ndim)])
        above = np.minimum(below + 1, size - 1)
        plane = plane.take(below, axis) * (1 - weight) + plane.take(above, axis) * weight
    return plane


def _label(panel: Array, letters: str) -> Array:
    """Letters for what lies up, left, down and right, in a tone that stands out from what is behind."""
    rows, columns = panel.shape[:2]
    if min(rows, columns) < 40:
        return panel
    places = ((3, columns // 2 - 2), (rows // 2 - 3, 3), (rows - 10, columns // 2 - 2), (rows // 2 - 3, columns - 8))
    for letter, (row, column) in zip(letters, places, strict=True):
        glyph = np.array([[bits >> (4 - n) & 1 for n in range(5)] for bits in LETTERS[letter]], bool)
        patch = panel[row : row + 7, column : column + 5]
        patch[glyph] = 200 if patch.mean() < 128 else 60
    return panel


def _centre(panel: Array, height: int, background: int) -> Array:
    above = (height - len(panel)) // 2
    margins = [(above, height - len(panel) - above), (GAP, GAP)] + [(0, 0)] * (panel.ndim - 2)
    return np.pad(panel, margins, constant_values=background)
