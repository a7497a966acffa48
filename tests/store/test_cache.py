"""The budget: what is refused, what goes first, what may not go. Numbers as in Cornerstone3D's tests."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from volstream.errors import ResourceError, UsageError
from volstream.store.cache import Cache
from volstream.store.image import Image
from volstream.store.lease import directory
from volstream.store.memory import capacity, installed
from volstream.store.segment import Segment
from volstream.store.volume import Volume

#: Of a segment, beyond its voxels: header, metadata, states, ranges, alignment.
OVERHEAD = 1 << 16


def image(size: int = 10_000) -> Image:
    return Image(pixels=np.zeros((size // 100, 100), np.uint8))


@pytest.fixture
def make() -> Iterator[Any]:
    made: list[Volume] = []

    def volume(count: int = 60, **metadata: Any) -> Volume:
        segment = Segment.create((count, 100, 100), "uint8", metadata, slices=count)
        assert segment.nbytes == 10_000 * count + OVERHEAD
        made.append(Volume(segment, None))
        return made[-1]

    yield volume
    for each in made:
        each.close()


@pytest.fixture
def cache() -> Cache:
    return Cache(1 << 20)


# What cache_test.js asserts


def test_the_default_limit_is_a_quarter_of_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    total = next(int(line.split()[1]) for line in Path("/proc/meminfo").read_text().splitlines() if "MemTotal" in line)
    assert installed() <= total * 1024
    assert Cache().limit == min(installed() // 4, capacity(directory()))
    monkeypatch.setattr("volstream.store.cache.capacity", lambda folder: 64 << 20)
    assert Cache().limit == 64 << 20, "a container's small /dev/shm"


@pytest.mark.parametrize("limit", [None, "a lot", -1, 1.5, True])
def test_a_limit_is_a_number(cache: Cache, limit: Any) -> None:
    with pytest.raises(UsageError, match="number of bytes"):
        cache.limit = limit
    assert cache.limit == 1 << 20


def test_put_get_remove(cache: Cache, make: Any) -> None:
    one, volume = image(), make()
    cache.put("x:1", one)
    cache.put("v:1", volume)
    assert cache.get("x:1") is one
    assert cache.get("v:1") is volume
    assert cache.size == 10_000 + volume.segment.nbytes
    assert cache.free == cache.limit - cache.size
    cache.remove("x:1")
    assert "x:1" not in cache
    assert cache.size == volume.segment.nbytes
    cache.remove("v:1")
    assert volume.segment.closed
    assert cache.size == 0


def test_what_cannot_be_put(cache: Cache, make: Any) -> None:
    cache.put("x:1", image())
    cache.put("v:1", make())
    for key, item in (
        ("x:1", image()),
        ("v:1", make()),
        ("v:2", cache.get("v:1")),
        ("x:2", None),
        ("x:2", np.zeros(3)),
        ("x:2", make().image(0)),
    ):
        with pytest.raises(UsageError):
            cache.put(key, item)
    closed = make()
    closed.close()
    with pytest.raises(UsageError, match="closed"):
        cache.put("v:2", closed)
    assert list(cache) == ["x:1", "v:1"]


@pytest.mark.parametrize("key", ["x:1", None, 7, ""])
def test_what_is_not_there(cache: Cache, key: Any) -> None:
    for call in (cache.get, cache.remove):
        with pytest.raises(UsageError):
            call(key)
    with pytest.raises(UsageError), cache.pin(key):
        pass
    assert key not in cache
    assert cache.find(key) is None


def test_purge_leaves_nothing(cache: Cache, make: Any) -> None:
    volume = make()
    cache.put("v:1", volume)
    cache.put("x:1", image())
    cache.purge()
    assert (cache.size, len(cache), list(cache)) == (0, 0, [])
    assert volume.segment.closed


def test_an_image_that_is_removed_while_it_is_made_is_not_there(cache: Cache) -> None:
    def make() -> Image:
        with pytest.raises(UsageError):
            cache.remove("x:1")
        return image()

    one = cache.get_or_make("x:1", make)
    assert cache.get("x:1") is one


# What image_cache_test.js and volume_cache_test.js assert


def test_two_images_fit_exactly() -> None:
    cache = Cache(20_000)
    cache.put("x:1", image())
    cache.put("x:2", image())
    assert cache.size == cache.limit
    assert cache.free == 0


def test_the_least_recently_used_goes_first() -> None:
    cache = Cache(30_000)
    for number in (1, 2, 3):
        cache.put(f"x:{number}", image())
    cache.get("x:1")
    cache.put("x:4", image())
    assert list(cache) == ["x:3", "x:1", "x:4"]


def test_what_is_larger_than_the_limit_is_refused(make: Any) -> None:
    cache = Cache(9_999)
    with pytest.raises(ResourceError, match="10000 bytes wanted, 9999 of 9999 free, 0 pinned"):
        cache.put("x:1", image())
    with pytest.raises(ResourceError):
        cache.put("v:1", make(1))
    assert cache.size == 0


def test_a_volume_and_two_images() -> None:
    cache = Cache(1 << 20)
    with Volume(Segment.create((60, 100, 100), "uint8", {}, slices=60), None) as volume:
        cache.put("v:1", volume)
        cache.put("x:1", image())
        cache.put("x:2", image())
        assert cache.size == 620_000 + OVERHEAD
    assert cache.size == 20_000, "a volume that is closed leaves"


def test_a_volume_of_61_slices_evicts_exactly_the_oldest_image(make: Any) -> None:
    cache = Cache(620_000 + OVERHEAD)
    cache.put("x:1", image())
    cache.put("x:2", image())
    cache.put("v:1", make(61))
    assert list(cache) == ["x:2", "v:1"]
    assert cache.free == 0


def test_a_volume_is_never_evicted_for_an_image(make: Any) -> None:
    cache = Cache(600_000 + OVERHEAD + 9_999)
    volume = make()
    cache.put("v:1", volume)
    with pytest.raises(ResourceError, match=f"{volume.segment.nbytes} in volumes, which do not make way"):
        cache.put("x:1", image())
    assert list(cache) == ["v:1"]


def test_an_image_is_evicted_for_a_bigger_one() -> None:
    cache = Cache(25_000)
    cache.put("x:1", image())
    cache.put("x:2", image())
    cache.put("x:3", image(15_000))
    assert list(cache) == ["x:2", "x:3"]
    with pytest.raises(ResourceError):
        cache.put("x:4", image(25_100))
    assert list(cache) == ["x:2", "x:3"], "nothing goes for what will not fit"


# Beyond


def test_a_lower_limit_evicts_or_is_refused(cache: Cache, make: Any) -> None:
    volume = make(1)
    cache.put("v:1", volume)
    for number in range(3):
        cache.put(f"x:{number}", image())
    cache.get("v:1")
    cache.limit = volume.segment.nbytes + 10_000
    assert list(cache) == ["x:2", "v:1"]
    with cache.pin("v:1"):
        with pytest.raises(ResourceError, match=f"{volume.segment.nbytes} pinned"):
            cache.limit = 10_000
        assert list(cache) == ["x:2", "v:1"]
    cache.limit = 10_000
    assert list(cache) == []


def test_pins_are_counted(cache: Cache) -> None:
    cache.limit = 10_000
    cache.put("x:1", image())
    with cache.pin("x:1"), cache.pin("x:1"):
        pass
    with cache.pin("x:1") as one:
        with cache.pin("x:1"):
            assert cache.held == 10_000
        with pytest.raises(ResourceError, match="10000 pinned or loading"):
            cache.put("x:2", image())
        cache.purge()
        assert cache.get("x:1") is one
    assert cache.held == 0
    cache.put("x:2", image())
    assert list(cache) == ["x:2"]


def test_a_volume_that_loads_is_never_evicted(cache: Cache, make: Any) -> None:
    volume = make()
    cache.put("v:1", volume)
    cache.limit = cache.size
    volume.segment.set_activity("loading")
    with pytest.raises(ResourceError):
        cache.admit(1, "v:2")
    assert not volume.segment.closed
    volume.segment.set_activity("cancelled")
    cache.admit(1, "v:2")
    assert volume.segment.closed


def test_room_is_kept_for_what_is_being_made(cache: Cache) -> None:
    cache.limit = 20_000

    def make() -> Image:
        cache.admit(15_000, "x:1")
        assert cache.size == cache.held == 15_000
        with pytest.raises(ResourceError):
            cache.put("x:2", image())
        cache.admit(10_000, "x:1")
        cache.put("x:2", image())
        return image()

    cache.get_or_make("x:1", make)
    assert cache.size == 20_000


def test_a_promise_ends_with_the_failure(cache: Cache) -> None:
    def fail() -> Image:
        cache.admit(15_000, "x:1")
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            cache.get_or_make("x:1", fail)
        assert cache.size == 0


def test_everyone_gets_what_one_makes(cache: Cache) -> None:
    begun, go, made, got = threading.Event(), threading.Event(), [], []

    def make() -> Image:
        begun.set()
        assert go.wait(10)
        made.append(image())
        return made[-1]

    threads = [threading.Thread(target=lambda: got.append(cache.get_or_make("x:1", make))) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert begun.wait(10)
    go.set()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert len(got) == 5
    assert all(each is made[0] for each in got)


def test_an_image_is_found_in_the_volume_used_last(cache: Cache, make: Any) -> None:
    cache.limit = 2 << 20
    ids = [f"x:{number}" for number in range(60)]
    first, second = (make(slices={"addresses": ids}) for _ in range(2))
    cache.put("v:1", first)
    cache.put("v:2", second)
    assert cache.find("x:3") is None, "it is not there yet"
    assert cache.place_of("x:3") == (second, 3)
    second.segment.publish(3, 8)
    found = cache.find("x:3")
    assert found is not None
    assert np.shares_memory(found.pixels, second.array)
    cache.get("v:1")
    assert cache.place_of("x:3") == (first, 3)
    assert cache.find("x:3") is not None, "the other one has it"
    second.close()
    assert cache.find("x:3") is None


def test_a_forked_child_has_an_empty_cache(cache: Cache, make: Any) -> None:
    cache.put("v:1", make(1))
    child = os.fork()
    if not child:
        os._exit(0 if len(cache) == 0 == cache.size else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(cache) == 1
    cache.purge()
