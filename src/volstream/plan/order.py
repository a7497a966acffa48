"""In which order slices are wanted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ..errors import UsageError

ORDERS = ("centre-out", "top-down", "interleaved")


def ranks(slices: int, count: int, order: str | int | Sequence[int]) -> list[int]:
    """The place of each slice in the order, of `slices` in all, `count` of them in each time point.

    Of two slices at the same distance the upper one (larger k) comes first.
    """
    if isinstance(order, str):
        stack = _STACKS[order](count)
        sequence: Iterable[int] = (t + k for t in range(0, slices, count) for k in stack)
    elif isinstance(order, (int, np.integer)):
        _check(order, slices)
        points = sorted(range(0, slices, count), key=lambda t: not t <= order < t + count)
        stack = _around(count, order % count)
        sequence = (t + k for t in points for k in stack)
    else:
        for index in order:
            _check(index, slices)
        sequence = dict.fromkeys([*order, *range(slices)])
    places = [0] * slices
    for place, index in enumerate(sequence):
        places[index] = place
    return places


def _check(index: int, slices: int) -> None:
    if not 0 <= index < slices:
        raise UsageError(f"slice {index} is not among the {slices} of this volume")


def _around(count: int, centre: int) -> list[int]:
    return sorted(range(count), key=lambda k: (abs(k - centre), -k))


def _interleaved(count: int) -> list[int]:
    """Every slice far from those before it: ends and centre, then what lies between, and so on."""
    step = 1
    while 2 * step < count:
        step *= 2
    found: dict[int, None] = dict.fromkeys((count // 2, 0, count - 1))
    while step:
        found |= dict.fromkeys(range(step, count, 2 * step))
        found |= dict.fromkeys(range(0, count, 2 * step))
        step //= 2
    return list(found)


_STACKS = {
    "centre-out": lambda count: _around(count, count // 2),
    "top-down": lambda count: list(range(count - 1, -1, -1)),
    "interleaved": _interleaved,
}
