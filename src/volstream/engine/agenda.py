"""What is still to be had of one volume, the most wanted first."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from ..fetch.source import Want

_Key: TypeAlias = tuple[int, int, int, int]


class Agenda:
    """Wants in order: slices with priority before others, earlier steps before later ones, then by rank.

    For any thread. The order counts when a want is taken, so it may change until then.
    """

    def __init__(self, ranks: Sequence[int]) -> None:
        self._ranks = ranks
        self._first: dict[int, int] = {}
        self._heap: list[tuple[_Key, int, Want]] = []
        self._added = 0
        self._lock = threading.Lock()

    def add(self, want: Want) -> None:
        with self._lock:
            self._added += 1
            heapq.heappush(self._heap, (self._key(want), self._added, want))

    def first(self) -> Want | None:
        """What `take` would give now."""
        with self._lock:
            return self._heap[0][2] if self._heap else None

    def take(self, count: int = 1, *, any_instance: bool = False) -> list[Want]:
        """The first want, and up to `count - 1` that follow it, as far as one request can be for all of them."""
        taken: list[Want] = []
        with self._lock:
            while self._heap and len(taken) < count:
                want = self._heap[0][2]
                if taken and not any_instance and not _go_together(want, taken[0]):
                    break
                taken.append(heapq.heappop(self._heap)[2])
        return taken

    def prioritize(self, slices: Iterable[int]) -> None:
        """These come first from now on, in this order, and no others do."""
        with self._lock:
            self._first = {index: place for place, index in enumerate(dict.fromkeys(slices))}
            self._sort()

    def append(self, slices: Iterable[int]) -> None:
        """These come next, after those that came first already."""
        with self._lock:
            new = {index: 0 for index in slices if index not in self._first}
            self._first |= {index: place for place, index in enumerate(new, len(self._first))}
            if any(want.index in new for _, _, want in self._heap):
                self._sort()

    def _sort(self) -> None:
        self._heap = [(self._key(want), added, want) for _, added, want in self._heap]
        heapq.heapify(self._heap)

    @property
    def is_urgent(self) -> bool:
        """Somebody waits for what comes next."""
        want = self.first()
        return want is not None and want.index in self._first

    def clear(self) -> None:
        with self._lock:
            self._heap.clear()

    def _key(self, want: Want) -> _Key:
        place = self._first.get(want.index)
        if place is None:
            return 1, want.step, self._ranks[want.index], want.index
        return 0, want.step, place, want.index


def _go_together(*wants: Want) -> bool:
    """Whole frames of one instance, of which nothing is here yet."""
    return len({want.record.uid for want in wants}) == 1 and all(
        want.size is None and want.held is None for want in wants
    )
