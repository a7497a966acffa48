"""The cache against a model of a few lines: a list of names, the least recently used first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from volstream.errors import ResourceError, UsageError
from volstream.store.cache import Cache
from volstream.store.image import Image
from volstream.store.segment import Segment
from volstream.store.volume import Volume

NAMES = st.sampled_from([f"x:{number}" for number in range(8)])
KILO = 1000
#: A segment of one small slice.
SEGMENT = (1 << 16) + 1 * KILO


@dataclass
class Kept:
    size: int
    is_volume: bool
    pins: int = 0
    loading: bool = False

    @property
    def held(self) -> bool:
        return self.pins > 0 or self.loading


class CacheMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.limit = 200 * KILO
        self.cache = Cache(self.limit)
        self.model: dict[str, Kept] = {}
        self.items: dict[str, Volume | Image] = {}
        self.volumes: list[Volume] = []
        self.pinned: list[tuple[str, object]] = []

    def goes(self, size: int, limit: int, images_only: bool) -> list[str] | None:
        """What has to go, or None if there is no room."""
        gone: list[str] = []
        for name, kept in self.model.items():
            if self.used(gone) + size <= limit:
                break
            if not kept.held and not (images_only and kept.is_volume):
                gone.append(name)
        return gone if self.used(gone) + size <= limit else None

    def used(self, without: list[str]) -> int:
        return sum(kept.size for name, kept in self.model.items() if name not in without)

    def drop(self, names: list[str]) -> None:
        for name in names:
            del self.model[name]
            item = self.items.pop(name)
            assert not isinstance(item, Volume) or item.segment.closed

    def put(self, name: str, item: Volume | Image, size: int) -> None:
        gone = self.goes(size, self.limit, images_only=isinstance(item, Image))
        try:
            self.cache.put(name, item)
        except UsageError:
            assert name in self.model
        except ResourceError:
            assert gone is None
        else:
            assert gone is not None
            assert name not in self.model
            self.drop(gone)
            self.model[name] = Kept(size, isinstance(item, Volume))
            self.items[name] = item
            return
        if isinstance(item, Volume):
            item.close()

    @rule(name=NAMES, size=st.integers(1, 60))
    def put_image(self, name: str, size: int) -> None:
        self.put(name, Image(pixels=np.zeros((size, KILO), np.uint8)), size * KILO)

    @rule(name=NAMES)
    def put_volume(self, name: str) -> None:
        self.volumes.append(Volume(Segment.create((1, 10, 100), "uint8", {}, slices=1), None))
        self.put(name, self.volumes[-1], SEGMENT)

    @rule(name=NAMES)
    def get(self, name: str) -> None:
        try:
            item = self.cache.get(name)
        except UsageError:
            assert name not in self.model
        else:
            assert item is self.items[name]
            self.model[name] = self.model.pop(name)

    @rule(name=NAMES)
    def pin(self, name: str) -> None:
        if name in self.model:
            pin = self.cache.pin(name)
            pin.__enter__()
            self.pinned.append((name, pin))
            self.model[name] = self.model.pop(name)
            self.model[name].pins += 1

    @rule()
    def unpin(self) -> None:
        if self.pinned:
            name, pin = self.pinned.pop()
            pin.__exit__(None, None, None)
            self.model[name].pins -= 1

    @rule(name=NAMES, loading=st.booleans())
    def load(self, name: str, loading: bool) -> None:
        if name in self.model and isinstance(item := self.items[name], Volume):
            item.segment.set_activity("loading" if loading else "cancelled")
            self.model[name].loading = loading

    @rule(name=NAMES)
    def remove(self, name: str) -> None:
        try:
            self.cache.remove(name)
        except UsageError:
            assert name not in self.model or self.model[name].pins
        else:
            self.drop([name])

    @rule(name=NAMES)
    def close(self, name: str) -> None:
        if name in self.model and not self.model[name].pins and isinstance(item := self.items[name], Volume):
            item.close()
            self.drop([name])

    @rule(limit=st.integers(0, 300))
    def set_limit(self, limit: int) -> None:
        gone = self.goes(0, limit * KILO, images_only=False)
        try:
            self.cache.limit = limit * KILO
        except ResourceError:
            assert gone is None
        else:
            assert gone is not None
            self.drop(gone)
            self.limit = limit * KILO

    @rule(size=st.integers(0, 200))
    def admit(self, size: int) -> None:
        gone = self.goes(size * KILO, self.limit, images_only=False)
        try:
            self.cache.admit(size * KILO, "v:new")
        except ResourceError:
            assert gone is None
        else:
            assert gone is not None
            self.drop(gone)

    @rule()
    def purge(self) -> None:
        self.cache.purge()
        self.drop([name for name, kept in self.model.items() if not kept.pins])

    @invariant()
    def is_as_the_model(self) -> None:
        assert list(self.cache) == list(self.model)
        assert self.cache.limit == self.limit
        assert self.cache.size == self.used([]) <= self.limit
        assert self.cache.held == sum(kept.size for kept in self.model.values() if kept.held)
        assert not any(item.segment.closed for item in self.items.values() if isinstance(item, Volume))

    def teardown(self) -> None:
        for volume in self.volumes:
            volume.close()


TestCache = CacheMachine.TestCase
TestCache.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
