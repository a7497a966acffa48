"""Positions of planes along a normal: what NM and RTDOSE instances say of their frames in one stroke."""

from __future__ import annotations

from collections.abc import Sequence


def along_normal(position: Sequence[float], orientation: Sequence[float], distance: float) -> tuple[float, ...]:
    """`position` moved along row x column direction, mm."""
    (a, b, c), (d, e, f) = orientation[:3], orientation[3:]
    normal = (b * f - c * e, c * d - a * f, a * e - b * d)
    return tuple(p + distance * n for p, n in zip(position, normal, strict=True))
