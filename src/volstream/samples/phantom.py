"""The synthetic patient: ellipsoids in millimetres, seen by a CT and by a PET scanner.

Coordinates are LPS with the origin in the middle of the chest: x to the patient's left, y to the back, z to the
head. Both modalities draw the same table of organs, so that the two series fuse.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Plane: TypeAlias = NDArray[np.float32]

INFINITE = 1e9


class Organ(NamedTuple):
    """An ellipsoid: centre and half axes in mm, attenuation in HU, activity in Bq/ml. Later ones cover earlier."""

    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    hu: float
    activity: float


Organs: TypeAlias = tuple[Organ, ...]

AIR_HU = -1000.0
RIB_HU = 550.0

_BODY = (
    Organ((0, 0, 0), (175, 118, INFINITE), -100, 700),  # fat
    Organ((0, 0, 0), (163, 106, INFINITE), 50, 2200),  # muscle
    Organ((-78, -5, 45), (62, 82, 125), -850, 900),  # lungs
    Organ((78, -5, 45), (58, 82, 125), -850, 900),
    Organ((0, 20, 60), (32, 62, 150), 35, 2600),  # mediastinum
    Organ((-62, -12, -95), (88, 80, 62), 105, 7000),  # liver
    Organ((98, 30, -90), (38, 42, 50), 120, 5200),  # spleen
    Organ((45, -45, -100), (50, 38, 45), 20, 3000),  # stomach
    Organ((-62, 55, -140), (24, 22, 42), 170, 24000),  # kidneys
    Organ((62, 55, -135), (24, 22, 42), 170, 24000),
    Organ((22, -35, 5), (62, 50, 52), 55, 16000),  # heart, and the blood in it
    Organ((30, -35, 5), (36, 28, 32), 230, 4500),
    Organ((12, 38, 0), (13, 13, INFINITE), 210, 3000),  # aorta
    Organ((0, 20, 110), (9, 10, 80), AIR_HU, 300),  # trachea
    Organ((-75, 10, 70), (11, 10, 12), 45, 38000),  # a lesion in the right lung
    Organ((0, 60, 0), (20, 16, INFINITE), 180, 3200),  # spine
    Organ((0, 84, 0), (9, 8, INFINITE), 30, 2000),  # its canal
    Organ((0, 98, 0), (6, 9, INFINITE), 400, 2500),
)
_COUCH = Organ((0, 140, 0), (230, 12, INFINITE), -350, 0)


def anatomy(seed: int) -> tuple[Organ, ...]:
    """Everything the scanners see, in painting order; the seed places the vessels of the lungs."""
    vertebrae = (Organ((0, 60, z), (23, 19, 12), 420, 3600) for z in range(-450, 451, 30))
    places = np.random.default_rng(seed).uniform((40, -60, -40, 1.2, 10), (115, 60, 140, 3.5, 45), (80, 5)).tolist()
    vessels = (
        Organ(((-1) ** n * x, y, z), (radius, radius, length), 40, 2000)
        for n, (x, y, z, radius, length) in enumerate(places)
    )
    lungs, rest = _BODY[:4], _BODY[4:]
    return (_COUCH, *lungs, *vessels, *rest, *vertebrae)


def ct_plane(organs: Organs, z: float, x: Plane, y: Plane, random: np.random.Generator, noise: float) -> Plane:
    """HU of the axial plane at height `z`, sampled at column positions `x` and row positions `y` (mm), with
    white Gaussian noise of `noise` HU."""
    plane = np.full((len(y), len(x)), AIR_HU, np.float32)
    _draw(plane, organs, "hu", z, x, y, edge=float(x[1] - x[0]))
    _draw_ribs(plane, z, x, y)
    plane += np.float32(noise) * random.standard_normal(plane.shape, np.float32)
    return plane


def pet_plane(organs: Organs, z: float, x: Plane, y: Plane, random: np.random.Generator, grain: float = 150.0) -> Plane:
    """Bq/ml of the axial plane at height `z`. The noise is gamma distributed, its variance `grain` times the
    mean: what iterative reconstruction of few counts leaves, with no negative values."""
    plane = np.full((len(y), len(x)), 20.0, np.float32)
    _draw(plane, organs, "activity", z, x, y, edge=7.0)
    return random.gamma(plane / grain, grain).astype(np.float32)


def _draw(plane: Plane, organs: Organs, value: str, z: float, x: Plane, y: Plane, edge: float) -> None:
    """Paint the organs' sections at height `z` over `plane`, each with a linear edge `edge` mm wide."""
    for organ in organs:
        dz = (z - organ.centre[2]) / organ.radii[2]
        if abs(dz) >= 1:
            continue
        shrink = (1 - dz * dz) ** 0.5
        (cx, cy), (rx, ry) = organ.centre[:2], (organ.radii[0] * shrink, organ.radii[1] * shrink)
        columns = slice(*np.searchsorted(x, (cx - rx - edge, cx + rx + edge)))
        rows = slice(*np.searchsorted(y, (cy - ry - edge, cy + ry + edge)))
        ellipse = np.sqrt(((x[columns] - cx) / rx) ** 2 + (((y[rows] - cy) / ry) ** 2)[:, None])
        cover = np.clip((1 - ellipse) * (min(rx, ry) / edge) + 0.5, 0, 1)
        patch = plane[rows, columns]
        patch += cover * (getattr(organ, value) - patch)


def _draw_ribs(plane: Plane, z: float, x: Plane, y: Plane) -> None:
    """Slanted rings between muscle and lung: bone where a wave along z, tilted forward, is high."""
    rows, columns = (slice(*np.searchsorted(axis, (-reach, reach))) for axis, reach in ((y, 100.0), (x, 150.0)))
    shell = np.hypot(x[columns] / 150, (y[rows] / 100)[:, None])
    wave = np.cos((z + 0.45 * y[rows]) * (2 * np.pi / 32))[:, None]
    cover = np.clip((0.055 - np.abs(shell - 0.945)) * 60, 0, 1) * np.clip((wave - 0.45) * 4, 0, 1)
    patch = plane[rows, columns]
    patch += (cover * (RIB_HU - patch)).astype(np.float32)
