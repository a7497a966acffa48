"""Each slice's way through the stages: what it has, and what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..fetch.source import Partial, Want
from ..plan.stages import Fill, Stage, chain, reduce_of
from ..records import FrameRecord
from ..store.states import FAILED, FULL, SUB_RESOLUTION
from .sizes import PrefixSizes

if TYPE_CHECKING:
    from ..store.segment import Segment


class Chains:
    """Of one volume, whose slices are stacks of `count`."""

    def __init__(self, segment: Segment, count: int, stages: Sequence[Stage]) -> None:
        self.sizes = PrefixSizes()
        #: The beginnings of frames that are not whole yet, by slice.
        self.held: dict[int, Partial] = {}
        self._segment = segment
        self._count = count
        self.follow(stages)

    def follow(self, stages: Sequence[Stage]) -> None:
        """Take these stages from now on."""
        self._stages = stages
        self._chains = [chain(stages, index % self._count, self._count) for index in range(self._segment.slices)]

    def begin(self, index: int) -> int:
        """The number of the slice's first stage."""
        return self._chains[index][0]

    def next(self, index: int, record: FrameRecord, step: int = -1) -> Want | None:
        """What the slice's next stage after `step` wants; None if it has all that it is to have."""
        state, held = self._segment.state(index), self.held.get(index)
        for number in self._chains[index]:
            reduce = reduce_of(self._stages, number)
            want = Want(index, record, held=held, reduce=reduce, step=number)
            if reduce:
                size = self.sizes.of(want)
                is_better = state < SUB_RESOLUTION and not (held and size and len(held.data) >= size)
            else:
                is_better = state not in (FULL, FAILED)
            if number > step and is_better:
                return want
        return None

    def after(self, want: Want) -> Want | None:
        """What follows a want that brought, or was to bring, a part of its frame."""
        return self.next(want.index, want.record, want.step)

    def sized(self, want: Want) -> Want:
        """With the number of bytes that are known to do by now."""
        return replace(want, size=self.sizes.of(want)) if want.reduce else want

    def is_last(self, want: Want) -> bool:
        """Whether the slice gets no better than this."""
        return not want.reduce or want.step == self._chains[want.index][-1]

    def fill_of(self, want: Want) -> Fill | None:
        """What the slice's neighbours get when it has come."""
        return self._stages[want.step].fill if 0 <= want.step < len(self._stages) else None
