"""In which passes a volume's slices come, each pass better than the one before. Data only: the engine does it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..errors import UsageError

#: How slices that have no image yet are made up from those that have: a copy of the nearest, or linearly between two.
Fill = Literal["nearest", "linear"]


@dataclass(frozen=True, slots=True)
class Stage:
    """One pass: these slices, at this resolution.

    every, offset: each `every`th slice of a stack, from `offset` on.
    positions: instead of these, single slices: an index, from the end if negative, or a share of the way (0.5).
    reduce: 1 / 2^reduce of the resolution, of codecs that have it (JPEG 2000, HTJ2K): only the first bytes of a frame
        are fetched, and the rest by a later stage. 0 is the whole frame, as is any other codec's.
    fill: what slices without an image get from this stage's; their states say so (1, 2, 3).
    """

    every: int = 1
    offset: int = 0
    positions: tuple[int | float, ...] = ()
    reduce: int = 0
    fill: Fill | None = None

    def __post_init__(self) -> None:
        if self.every < 1 or not 0 <= self.offset < self.every or not 0 <= self.reduce <= 8:
            raise UsageError(f"not a stage: {self}")
        if any(isinstance(position, float) and not 0 <= position <= 1 for position in self.positions):
            raise UsageError(f"a share of the way is between 0.0 and 1.0: {self}")
        if self.fill not in (None, "nearest", "linear"):
            raise UsageError(f"fill is 'nearest' or 'linear', not {self.fill!r}")

    def takes(self, k: int, count: int) -> bool:
        """Whether slice `k` of a stack of `count` is in it."""
        if not self.positions:
            return k % self.every == self.offset
        return k in (_position(position, count) for position in self.positions)


#: Everything once, at full quality.
FULL_ONLY = (Stage(),)
#: The whole volume at an eighth of the resolution, then the rest of each frame.
COVERAGE = (Stage(reduce=3), Stage())
#: For codecs without resolutions: far apart at first, filled between.
SPARSE = (
    Stage(positions=(0.5, 0, -1), fill="linear"),
    *(Stage(every=every, offset=every // 2, fill="linear") for every in (16, 8, 4, 2)),
    Stage(),
)
#: What Cornerstone3D calls interleaved: ends and centre, quarters at low resolution, then all at full.
INTERLEAVED = (
    Stage(positions=(0.5, 0, -1), fill="nearest"),
    Stage(every=4, offset=3, reduce=2, fill="nearest"),
    Stage(every=4, offset=1, reduce=2, fill="nearest"),
    *(Stage(every=4, offset=offset) for offset in (2, 0, 1, 3)),
)

NAMED = {"full": FULL_ONLY, "coverage": COVERAGE, "sparse": SPARSE, "interleaved": INTERLEAVED}


def chain(stages: Sequence[Stage], k: int, count: int) -> tuple[int, ...]:
    """The numbers of the stages that a slice goes through: each at a higher resolution than those before.

    A slice that is in none comes after all of them, in full.
    """
    taken: list[int] = []
    for number, stage in enumerate(stages):
        if stage.takes(k, count) and (not taken or stage.reduce < stages[taken[-1]].reduce):
            taken.append(number)
    return tuple(taken) or (len(stages),)


def reduce_of(stages: Sequence[Stage], number: int) -> int:
    """A stage's reduction; the one after the last is for what no stage takes."""
    return stages[number].reduce if number < len(stages) else 0


def _position(position: int | float, count: int) -> int:
    if isinstance(position, float):
        return int((count - 1) * position)
    return int(position) + (count if position < 0 else 0)
