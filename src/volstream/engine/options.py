"""How to load: one frozen object, passed down from `load(...)`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import UsageError
from ..plan.order import ORDERS
from ..plan.stages import NAMED, Stage
from .placing import Executor


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How frames are fetched and decoded.

    executor: "threads" (default), or "processes" where a codec crash must not end the caller.
    workers: how many; default one a core this process may use.
    in_flight: bytes of encoded data held at once, from request to decoded, default 64 MiB.
    order: which slices come first: "centre-out" (default), "top-down", "interleaved", the index of a slice to start
        around, or a sequence of indices. A 4D volume loads one time point after the other.
    stages: how the volume gets better: "full" (every slice once; what `load` does by itself), "coverage" (all of it at
        an eighth of the resolution, then the rest), "sparse" (slices far apart, the others made up between them),
        "interleaved" (as Cornerstone3D does), or `Stage`s of your own. "auto" takes "full" where that lasts no second,
        else "coverage" for JPEG 2000 and HTJ2K, "sparse" for all others.
    """

    executor: Executor = "threads"
    workers: int | None = None
    in_flight: int = 64 << 20
    order: str | int | Sequence[int] = "centre-out"
    stages: str | Sequence[Stage] = "auto"

    def __post_init__(self) -> None:
        if self.in_flight < 1:
            raise UsageError(f"in_flight must be positive, not {self.in_flight}")
        if isinstance(self.order, str) and self.order not in ORDERS:
            raise UsageError(f"order must be one of {', '.join(ORDERS)}, an index or indices, not {self.order!r}")
        if isinstance(self.stages, str) and self.stages not in (*NAMED, "auto"):
            raise UsageError(f"stages must be auto, {', '.join(NAMED)}, or stages, not {self.stages!r}")
