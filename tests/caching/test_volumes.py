"""create_volume, images of a volume, decache and the way back: what Cornerstone3D's tests assert, and more."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import numpy as np
import pytest

import faults
import volstream
from dicomfactory import case
from volstream import HttpStatusError, ResourceError, UsageError, cache

from .conftest import Slices

VOLUME = "cornerstoneStreamingImageVolume:scan"


@pytest.fixture
def volume(slices: Slices) -> volstream.Volume:
    volume = volstream.create_volume(VOLUME, slices.rs)
    volume.load().wait(30)
    return volume


# What StreamingImageVolume_test.js asserts


def test_after_load_each_slice_has_its_value(volume: volstream.Volume) -> None:
    assert volume.shape == (5, 100, 100)
    assert volume.array[0, 50, 50] == 1
    assert volume.array[3, 50, 50] == 4


def test_a_volume_counts_with_its_memory(volume: volstream.Volume) -> None:
    assert volume.array.nbytes == 50_000
    assert cache.size == volume.segment.nbytes
    assert 50_000 < cache.size < 50_000 + (128 << 10), "header, states and alignment"
    assert list(cache) == [VOLUME]


def test_images_of_a_cached_volume_are_views_without_a_request(volume: volstream.Volume, slices: Slices) -> None:
    before, size = slices.requests, cache.size
    for k, (by_rs, by_uri) in enumerate(zip(slices.rs, slices.uri, strict=True)):
        for image_id in (by_rs, by_uri):
            image = volstream.load_image(image_id)
            assert image.is_view
            assert np.shares_memory(image.pixels, volume.array)
            assert (image.pixels == k + 1).all()
            assert image.image_id == volume.image_id(k)
    assert slices.requests == before
    assert cache.size == size, "a view takes no memory"


def test_decache_keeps_the_slices_as_images(volume: volstream.Volume, slices: Slices) -> None:
    before, held = slices.requests, volume.array
    volume.decache()
    assert VOLUME not in cache
    assert cache.size == 50_000
    assert len(cache) == 5
    for k, image_id in enumerate(slices.rs):
        image = cache.get(image_id)
        assert isinstance(image, volstream.Image)
        assert image.shape == (100, 100)
        assert image.nbytes == 10_000
        assert image.inverted, "MONOCHROME1"
        assert not np.shares_memory(image.pixels, held), "the volume's memory is given back"
        assert (image.pixels == k + 1).all()
        assert volstream.load_image(slices.uri[k]) is image
    assert slices.requests == before
    with pytest.raises(UsageError):
        _ = volume.array
    assert (held[3] == 4).all(), "arrays that somebody keeps stay valid"


def test_decache_completely_keeps_nothing(volume: volstream.Volume) -> None:
    volume.decache(completely=True)
    assert cache.size == 0
    assert len(cache) == 0


def test_cancel_leaves_no_request_waiting(slices: Slices) -> None:
    slices.server.misbehave(lambda request, reply: setattr(reply, "delay", 0.05))
    volume = volstream.create_volume(VOLUME, slices.rs, connections=1)
    loading = volume.load()
    loading.first.wait(30)
    volume.cancel()
    with pytest.raises(volstream.CancelledError):
        loading.wait(30)
    asked = slices.server.count()
    assert asked < 5
    volume.load().wait(30)
    assert (volume.array[:, 0, 0] == (1, 2, 3, 4, 5)).all()


def test_a_volume_of_cached_images_needs_no_request(volume: volstream.Volume, slices: Slices) -> None:
    affine, metadata = volume.affine, volume.metadata
    volume.decache()
    before = slices.requests
    again = volstream.volume_from_images("volume:again", slices.rs)
    assert slices.requests == before
    assert again.complete
    assert again.segment.activity == "complete"
    assert (again.array[:, 0, 0] == (1, 2, 3, 4, 5)).all()
    np.testing.assert_array_equal(again.affine, affine)
    assert again.metadata == metadata
    assert again.load().wait(30) is again
    assert again.image(2).stored().dtype == np.uint8


# Beyond


def test_the_same_id_is_the_same_volume(volume: volstream.Volume) -> None:
    assert volstream.create_volume(VOLUME) is volume
    assert volstream.create_volume(VOLUME, ["wadors:elsewhere/series/1/instances/2/frames/1"]) is volume


def test_threads_that_ask_at_once_get_one_volume(slices: Slices) -> None:
    slices.server.misbehave(lambda request, reply: setattr(reply, "delay", 0.1), path="/metadata")
    volumes: list[volstream.Volume] = []
    threads = [
        threading.Thread(target=lambda: volumes.append(volstream.create_volume(VOLUME, slices.rs))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(volumes) == 8
    assert set(map(id, volumes)) == {id(volumes[0])}
    assert slices.server.count("/metadata") == 1


def test_created_first_pixels_complete(slices: Slices) -> None:
    volume = volstream.create_volume(VOLUME, slices.rs)
    assert slices.server.count("/frames/") == 0, "created: headers only"
    assert volume.segment.activity == "idle"
    loading = volume.load()
    assert loading.first.wait(30) is volume
    assert (volume.states == 8).any()
    assert loading.first.done
    assert loading.wait(30) is volume
    assert loading.done
    assert volume.complete


def test_under_asyncio(slices: Slices) -> None:
    async def main() -> None:
        volume = await volstream.create_volume_async(VOLUME, slices.rs)
        loading = volume.load()
        await loading.first
        assert (volume.states == 8).any()
        assert await loading is volume
        assert volume.complete
        image = await volstream.load_image_async(slices.uri[0])
        assert image.is_view

    asyncio.run(main())


def test_a_volume_that_loads_is_waited_for_not_asked_beside(slices: Slices) -> None:
    slices.server.misbehave(lambda request, reply: setattr(reply, "delay", 0.05))
    volume = volstream.create_volume(VOLUME, slices.rs, connections=1)
    volume.load()
    image = volstream.load_image(slices.rs[4])
    assert image.is_view
    assert (image.pixels == 5).all()
    volume.load().wait(30)
    assert slices.server.count("/frames/") == 5


def test_a_slice_that_failed_is_loaded_alone(slices: Slices) -> None:
    slices.server.misbehave(faults.status(404), path=slices.rs[2].removeprefix("wadors:").rpartition("/series")[2])
    volume = volstream.create_volume(VOLUME, slices.rs)
    with pytest.raises(HttpStatusError):
        volume.load().wait(30)
    image = volstream.load_image(slices.uri[2])
    assert not image.is_view
    assert (image.pixels == 3).all()


def test_any_source_may_be_cached(slices: Slices) -> None:
    folder = slices.files[0].removeprefix("dicomfile:").rpartition("/")[0]
    for number, source in enumerate((folder, slices.server.series_url, [path[10:] for path in slices.files])):
        volume = volstream.create_volume(f"volume:{number}", source)
        volume.load().wait(30)
        assert (volume.array[:, 0, 0] == (1, 2, 3, 4, 5)).all()
        assert volume.volume_id == f"volume:{number}"


def test_what_is_wrong_with_the_call(slices: Slices) -> None:
    for wrong in ("scan", "", "volume:", 3):
        with pytest.raises(UsageError):
            volstream.create_volume(wrong, slices.rs)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="image_ids"):
        volstream.create_volume(VOLUME)
    with pytest.raises(UsageError, match="unknown option colour"):
        volstream.create_volume(VOLUME, slices.rs, colour=True)
    with pytest.raises(UsageError, match="list of imageIds"):
        volstream.create_volume(VOLUME, slices.server.series_url, prefetch=False)
    assert cache.size == 0


# Admission (Cornerstone3D evicts the first slices of a volume while its last ones load)


def test_a_volume_without_room_is_refused_before_its_first_pixel(slices: Slices) -> None:
    cache.limit = 50_000
    with pytest.raises(ResourceError, match=r"\d+ bytes wanted, 50000 of 50000 free, 0 pinned"):
        volstream.create_volume(VOLUME, slices.rs)
    assert slices.server.count("/frames/") == 0
    assert cache.size == 0
    assert volstream.load_image(slices.rs[0]).nbytes == 10_000


def test_a_volume_that_loads_keeps_its_slices(slices: Slices) -> None:
    slices.server.misbehave(lambda request, reply: setattr(reply, "delay", 0.05))
    volume = volstream.create_volume(VOLUME, slices.rs, connections=1)
    cache.limit = cache.size + 9_999
    loading = volume.load()
    assert cache.held == cache.size
    with pytest.raises(ResourceError, match="pinned"):
        volstream.create_volume("volume:other", slices.files)
    with pytest.raises(ResourceError):
        volstream.load_image(slices.files[0])  # whose id does not tell that it is in the volume
    with pytest.raises(ResourceError):
        cache.limit = 10
    loading.wait(30)
    assert (volume.array[:, 0, 0] == (1, 2, 3, 4, 5)).all()
    other = volstream.create_volume("volume:other", slices.uri)
    assert list(cache) == ["volume:other"]
    assert volume.segment.closed, "evicted, once nobody loaded it any more"
    assert other.complete, "out of the one that had to go"


def test_a_pinned_volume_is_not_evicted(volume: volstream.Volume, slices: Slices) -> None:
    cache.limit = cache.size
    with cache.pin(VOLUME) as pinned:
        assert pinned is volume
        with cache.pin(VOLUME):
            pass
        with pytest.raises(ResourceError):
            volstream.create_volume("volume:other", slices.files)
        with pytest.raises(UsageError, match="pinned"):
            cache.remove(VOLUME)
        with pytest.raises(UsageError, match="pinned"):
            volume.decache()
        cache.purge()
        assert not volume.segment.closed
    volstream.create_volume("volume:other", slices.files)
    assert volume.segment.closed


def test_a_volume_that_is_closed_leaves_the_cache(volume: volstream.Volume) -> None:
    image = volume.image(1)
    volume.close()
    assert cache.size == 0
    assert (image.pixels == 2).all()
    assert image.state == 8
    assert image.min == 2


def test_time_points(tmp_path: Path) -> None:
    made = case("time_points", tmp_path / "time")
    ids = [f"dicomfile:{file}" for file in made.files.values()]
    volume = volstream.create_volume("cornerstoneStreamingDynamicImageVolume:perfusion", ids)
    volume.load().wait(30)
    np.testing.assert_array_equal(volume.array, made.array)
    times, count = volume.shape[:2]
    assert times > 1
    image = volume.image(np.int64(count + 2))
    np.testing.assert_array_equal(image.pixels, made.array[1, 2])
    assert image.position == volume.image(2).position
    volume.decache()
    again = volstream.volume_from_images("dynamic:perfusion", ids)
    assert again.complete
    np.testing.assert_array_equal(again.array, made.array)


def test_a_volume_of_the_callers_loop_is_not_cached(slices: Slices) -> None:
    """To evict it would be to wait for that loop, which may be waiting for the cache."""

    async def main() -> None:
        async with volstream.open(slices.rs) as volume:
            with pytest.raises(UsageError, match="asyncio"):
                cache.put("volume:mine", volume)
            await volume.wait_async()
            volstream.create_volume(VOLUME, slices.uri)  # blocks, and may

    asyncio.run(main())


def test_an_image_does_not_evict_a_volume(volume: volstream.Volume, slices: Slices) -> None:
    cache.limit = cache.size
    with pytest.raises(ResourceError, match="do not make way"):
        volstream.load_image(slices.files[0])
    assert not volume.segment.closed
