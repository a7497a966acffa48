"""What a cache holds, how large it is, and what goes first. Names, sizes and pins: plain bookkeeping, no lock."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ..errors import ResourceError

T = TypeVar("T")


@dataclass(slots=True)
class Entry(Generic[T]):
    item: T
    size: int
    pins: int = 0


class Ledger(Generic[T]):
    """Entries by name, the least recently used first. `is_busy` tells of an item that it may not go now."""

    def __init__(self, is_busy: Callable[[T], bool]) -> None:
        self.entries: dict[str, Entry[T]] = {}
        self.used = 0
        self._is_busy = is_busy
        #: Bytes that are kept for what is being made.
        self._promises: dict[Hashable, int] = {}

    def use(self, name: str) -> Entry[T]:
        """The entry, from now on the one that was used last. KeyError."""
        entry = self.entries[name] = self.entries.pop(name)
        return entry

    def add(self, name: str, item: T, size: int) -> None:
        self.entries[name] = Entry(item, size)
        self.used += size

    def drop(self, name: str) -> T:
        entry = self.entries.pop(name)
        self.used -= entry.size
        return entry.item

    def promise(self, key: Hashable, size: int) -> None:
        self._promises[key] = size
        self.used += size

    def redeem(self, key: Hashable) -> int:
        """End a promise; how much it was."""
        size = self._promises.pop(key, 0)
        self.used -= size
        return size

    def is_held(self, entry: Entry[T]) -> bool:
        return entry.pins > 0 or self._is_busy(entry.item)

    @property
    def held(self) -> int:
        """Bytes that cannot be had now."""
        return sum(self._promises.values()) + sum(e.size for e in self.entries.values() if self.is_held(e))

    def candidates(self, size: int, limit: int, may_go: Callable[[T], bool]) -> list[str]:
        """What has to go so that `size` bytes more fit into `limit`; ResourceError if that cannot be."""
        missing = self.used + size - limit
        names: list[str] = []
        for name, entry in self.entries.items():
            if missing <= 0:
                break
            if may_go(entry.item) and not self.is_held(entry):
                names.append(name)
                missing -= entry.size
        if missing > 0:
            held = sum(e.size for e in self.entries.values() if not may_go(e.item) and not self.is_held(e))
            raise ResourceError(
                f"the cache has no room: {size} bytes wanted, {limit - self.used} of {limit} free, {self.held} pinned "
                "or loading" + (f", {held} in volumes, which do not make way for an image" if held else "")
            )
        return names
