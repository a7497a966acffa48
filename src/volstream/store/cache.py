"""Volumes and images that are kept, within a budget of bytes.

Room is made before memory is taken: by letting go of what was used least recently, never of what is pinned, loading or
being made. What there can be no room for is refused before its first pixel is fetched.
"""

from __future__ import annotations

import contextlib
import logging
import operator
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np

from ..errors import UsageError, VolstreamError
from ..identity import ImageId, ImageKey, shown_of
from .flights import Flights
from .image import Image, view
from .lease import directory
from .ledger import Entry, Ledger
from .memory import capacity, installed
from .states import FULL
from .volume import Volume

log = logging.getLogger("volstream.cache")

Item: TypeAlias = Volume | Image
T = TypeVar("T", bound=Item)


class Cache:
    """Volumes by volumeId and images by imageId; thread-safe.

    A volume counts with all its shared memory, an image with its pixels; an image that lies in a cached volume is found
    there, and counts nothing. The cache owns what it holds: a volume that is evicted or removed is closed. Arrays and
    images that somebody keeps stay valid; their memory counts no more.
    """

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit if limit is None else _bytes(limit)
        self._reset()
        _caches.add(self)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._ledger: Ledger[Item] = Ledger(lambda item: isinstance(item, Volume) and item.is_loading)
        self._flights = Flights()
        #: Under which name an image is kept, and what it may be asked for by.
        self._names: dict[ImageKey, str] = {}
        self._keys: dict[str, set[ImageKey]] = {}

    # The budget

    @property
    def limit(self) -> int:
        """Bytes that may be used; at first a quarter of the memory of the machine, or of this process's cgroup, and no
        more than where shared memory lies holds.

        Setting it lower evicts; ResourceError, and nothing changes, if more than that cannot be evicted.
        """
        if self._limit is None:
            self._limit = min(installed() // 4, capacity(directory()))
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        limit = _bytes(limit)
        with self._lock:
            evicted = [self._drop(name) for name in self._ledger.candidates(0, limit, lambda item: True)]
            self._limit = limit
        _close(evicted)

    @property
    def size(self) -> int:
        """Bytes used, including those that are promised to what is being made."""
        return self._ledger.used

    @property
    def free(self) -> int:
        return self.limit - self._ledger.used

    @property
    def held(self) -> int:
        """Bytes that cannot be evicted now: pinned, loading, or being made."""
        with self._lock:
            return self._ledger.held

    def admit(self, size: int, key: str, *, for_image: bool = False) -> None:
        """Make room for `size` bytes, or raise ResourceError and leave everything as it is.

        For loaders, before they allocate. While `create_volume` or `load_image` makes what has this id, the room is
        kept for it. A volume does not make way `for_image`.
        """
        with self._lock:
            ahead = self._ledger.redeem(_key(key))
            try:
                evicted = self._make_room(size, images_only=for_image)
            except BaseException:
                if ahead:
                    self._ledger.promise(_key(key), ahead)
                raise
            if _key(key) in self._flights:
                self._ledger.promise(_key(key), size)
        _close(evicted)

    # What is in it

    def __iter__(self) -> Iterator[str]:
        """Ids, the least recently used first."""
        with self._lock:
            return iter(list(self._ledger.entries))

    def __len__(self) -> int:
        return len(self._ledger.entries)

    def __contains__(self, key: str) -> bool:
        """Whether it is an entry. An image in a cached volume is none; `find` finds it."""
        with self._lock:
            return self._name(key) is not None

    def get(self, key: str) -> Item:
        """The volume or image with this id, which thereby counts as used. UsageError if there is none."""
        with self._lock:
            return self._use(key).item

    def find(self, image_id: str) -> Image | None:
        """The image with this id, of whatever transport, at full quality: kept itself, or in a cached volume."""
        with self._lock:
            if self._name(image_id) is not None:
                item = self._use(image_id).item
                return item if isinstance(item, Image) and item.state == FULL else None
            for volume, index in self._places_of(image_id):
                with contextlib.suppress(UsageError):  # closed meanwhile
                    if volume.segment.state(index) == FULL:
                        self._use(cast(str, volume.volume_id))
                        return view(volume, index)
            return None

    def place_of(self, image_id: str) -> tuple[Volume, int] | None:
        """The cached volume with this image that was used last, and which slice it is."""
        with self._lock:
            return next(iter(self._places_of(image_id)), None)

    @contextlib.contextmanager
    def pin(self, key: str) -> Iterator[Item]:
        """Keep a volume or an image from being evicted meanwhile; pins are counted. UsageError if it is unknown."""
        with self._lock:
            entry = self._use(key)
            entry.pins += 1
        try:
            yield entry.item
        finally:
            with self._lock:
                entry.pins -= 1

    def put(self, key: str, item: Item) -> None:
        """Keep `item`. ResourceError if there is no room for it, UsageError if it cannot be kept under this id."""
        with self._lock:
            evicted = self._put(key, item)
        _close(evicted)

    def get_or_make(self, key: str, make: Callable[[], T]) -> T:
        """What has this id, or what `make` makes, which is then kept. Of threads that ask at once, one makes it."""

        def once() -> T:
            with self._lock:
                if self._name(key) is not None:
                    return cast(T, self._use(key).item)
            try:
                return self._land(key, make())
            finally:
                with self._lock:
                    self._ledger.redeem(_key(key))

        return self._flights.once(_key(key), once)

    def remove(self, key: str) -> None:
        """Take something out; a volume is closed. UsageError if it is unknown, or pinned."""
        with self._lock:
            if (name := self._name(key)) is None:
                raise _unknown(key)
            if self._ledger.entries[name].pins:
                raise UsageError("it is pinned")
            removed = self._drop(name)
        _close([removed])

    def purge(self) -> None:
        """Take out everything that is not pinned; volumes that load are stopped."""
        with self._lock:
            removed = [self._drop(name) for name, entry in list(self._ledger.entries.items()) if not entry.pins]
        _close(removed)

    def decache(self, volume: Volume, completely: bool = False) -> None:
        """Close a volume; unless `completely`, its slices are kept as images. See `Volume.decache`."""
        images = [] if completely else _copies(volume)
        with self._lock:
            if volume.cache is self and volume.volume_id is not None:
                if self._ledger.entries[volume.volume_id].pins:
                    raise UsageError("the volume is pinned")
                self._drop(volume.volume_id)
            images = [image for image in images if self._name(image.image_id or "") is None]
            evicted = self._make_room(sum(image.nbytes for image in images), images_only=True)
            for image in images:
                evicted += self._put(image.image_id or "", image)
        volume.close()
        _close(evicted)

    def forget(self, volume: Volume) -> None:
        """A volume has been closed."""
        with self._lock:
            if volume.cache is self and volume.volume_id is not None:
                self._drop(volume.volume_id)

    # Under the lock. Volumes are closed after it: that waits for threads.

    def _name(self, key: str) -> str | None:
        """Under which name something is kept."""
        return key if key in self._ledger.entries else self._names.get(_key(key))

    def _use(self, key: str) -> Entry[Item]:
        if (name := self._name(key)) is None:
            raise _unknown(key)
        return self._ledger.use(name)

    def _places_of(self, image_id: str) -> list[tuple[Volume, int]]:
        """The slices that are this image, those of the volumes used last first."""
        key = _key(image_id)
        volumes = [entry.item for entry in self._ledger.entries.values() if isinstance(entry.item, Volume)]
        return [(volume, volume.image_keys[key]) for volume in reversed(volumes) if key in volume.image_keys]

    def _make_room(self, size: int, *, images_only: bool = False) -> list[Item]:
        names = self._ledger.candidates(size, self.limit, lambda item: not images_only or isinstance(item, Image))
        return [self._drop(name) for name in names]

    def _put(self, key: str, item: Item, asked: str = "") -> list[Item]:
        """Keep it; what had to go is returned. `asked` is another name that is known to mean it."""
        if self._name(key) is not None:
            raise UsageError("something is cached under this id already")
        if isinstance(item, Volume):
            if item.segment.closed or item.cache is not None:
                raise UsageError("a volume that is closed, or cached already, cannot be cached")
            if item.is_bound:  # to evict it would be to wait for a loop that may wait for the cache
                raise UsageError("a volume that was opened under asyncio cannot be cached; create_volume makes one")
            evicted = self._make_room(item.segment.nbytes)
            item.cache, item.volume_id = self, key
            self._ledger.add(key, item, item.segment.nbytes)
        elif isinstance(item, Image):
            if item.is_view:
                raise UsageError("this image lies in a volume: `copy` it, or cache the volume")
            evicted = self._make_room(item.nbytes, images_only=True)
            self._keys[key] = {_key(key), _key(asked or key), *item.keys}
            self._names |= dict.fromkeys(self._keys[key], key)
            self._ledger.add(key, item, item.nbytes)
        else:
            raise UsageError(f"a {type(item).__name__} cannot be cached: volumes and images can")
        return evicted

    def _drop(self, name: str) -> Item:
        item = self._ledger.drop(name)
        if isinstance(item, Volume):
            item.cache = None
        else:
            for key in self._keys.pop(name):
                if self._names.get(key) == name:
                    del self._names[key]
        return item

    def _land(self, key: str, item: T) -> T:
        """Keep what was made, in the room that was promised to it."""
        try:
            with self._lock:
                self._ledger.redeem(_key(key))
                if isinstance(item, Image):
                    name = item.image_id or key
                    if self._name(name) is not None:  # it was asked for by a name that did not tell
                        return cast(T, self._use(name).item)
                    if item.is_view:
                        return item
                    evicted = self._put(name, item, key)
                elif item.cache is not None:  # its loader has put it somewhere
                    return item
                else:
                    evicted = self._put(key, item)
        except BaseException:
            if isinstance(item, Volume):
                item.close()
            raise
        _close(evicted)
        return item


def _key(key: str) -> ImageKey:
    try:
        return ImageId.parse(key).key
    except UsageError:
        return key


def _bytes(limit: Any) -> int:
    try:
        number = operator.index(limit)
    except TypeError:
        number = -1
    if number < 0 or isinstance(limit, bool):
        raise UsageError(f"a limit is a number of bytes, not {limit!r}")
    return number


def _unknown(key: str) -> UsageError:
    return UsageError(f"nothing is cached as {shown_of(key)!r}" if isinstance(key, str) else "an id is a text")


def _copies(volume: Volume) -> list[Image]:
    there = np.flatnonzero((volume.states == FULL) & volume.has_image).tolist()
    views = [view(volume, index) for index in there]
    if any(image.image_id is None for image in views):
        raise UsageError("the slices of this volume have no imageIds by which they could be kept")
    return [image.copy() for image in views]


def _close(items: list[Item]) -> None:
    for item in items:
        if isinstance(item, Volume):
            try:
                item.close()
            except VolstreamError as error:  # its memory is let go of in any case
                log.warning("a volume that was evicted could not be closed: %s", error)


_caches: weakref.WeakSet[Cache] = weakref.WeakSet()


def _forget_all() -> None:
    """In a forked child: the volumes are its parent's, and a thread that is not here may hold the lock."""
    for each in _caches:
        each._reset()


os.register_at_fork(after_in_child=_forget_all)

#: The cache that `create_volume` and `load_image` use.
cache = Cache()
