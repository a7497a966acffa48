"""Slices without an image of their own, made up from their neighbours; their states say so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..plan.stages import Fill
from ..store.states import ADJACENT_REPLICATE, FAR_REPLICATE, FULL, INTERPOLATED, SUB_RESOLUTION


class Made(NamedTuple):
    """Slice `target` is to be `low` + (`high` - `low`) * `share`, in this state."""

    target: int
    state: int
    low: int
    high: int
    share: float


def made_from(states: npt.NDArray[np.uint8], index: int, fill: Fill) -> Iterator[Made]:
    """What can be made up of one stack's slices, whose states these are, now that slice `index` has an image.

    Linearly between it and the next image on either side; beyond the last image, or with "nearest" up to half the way
    to the next one, copies of it.
    """
    images = np.flatnonzero((states >= SUB_RESOLUTION) & (states <= FULL))
    for step in (-1, 1):
        beyond = images[images < index] if step < 0 else images[images > index]
        other = int(beyond[-1 if step < 0 else 0]) if len(beyond) else None
        end = other if other is not None else (-1 if step < 0 else len(states))
        for target in range(index + step, end, step):
            distance = abs(target - index)
            if fill == "linear" and other is not None:
                state, made = INTERPOLATED, Made(target, INTERPOLATED, index, other, distance / abs(other - index))
            else:
                if other is not None and 2 * distance > abs(other - index):
                    break
                state = ADJACENT_REPLICATE if distance == 1 else FAR_REPLICATE
                made = Made(target, state, index, index, 0.0)
            if states[target] <= state:
                yield made


def voxels_of(made: Made, volume: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The made-up slice, from a stack (k, j, i[, 3]); integers are rounded to the nearest."""
    low = volume[made.low]
    if made.low == made.high:
        return np.ascontiguousarray(low)
    kind = np.float64 if low.dtype.itemsize > 2 else np.float32
    between = low.astype(kind)
    between += (volume[made.high].astype(kind) - between) * kind(made.share)
    if low.dtype.kind != "f":
        np.rint(between, out=between)
    made_up: npt.NDArray[Any] = between.astype(low.dtype)
    return made_up
