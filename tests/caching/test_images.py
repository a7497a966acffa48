"""load_image: through the cache, once, alone; and loaders that others register."""

from __future__ import annotations

import re
import threading
from importlib.metadata import EntryPoint
from typing import Any

import numpy as np
import pytest

import faults
import volstream
from dicomfactory import case
from volstream import HttpStatusError, Image, ResourceError, UsageError, cache, registry

from .conftest import Slices


def test_an_image_alone_is_fetched_once(slices: Slices) -> None:
    image = volstream.load_image(slices.rs[3])
    assert slices.requests == 2, "its own header, its frame; nothing of the series"
    assert (image.pixels == 4).all()
    assert not image.is_view
    assert image.pixels.base is None, "private memory"
    assert (cache.size, list(cache)) == (10_000, [image.image_id])
    assert volstream.load_image(slices.rs[3]) is image
    assert volstream.load_image(slices.uri[3]) is image
    assert slices.requests == 2


def test_an_image_of_an_older_server_is_one_request(slices: Slices) -> None:
    image = volstream.load_image(slices.uri[3])
    assert slices.requests == 1
    assert volstream.load_image(slices.rs[3]) is image
    assert slices.requests == 1


def test_an_image_of_a_file(slices: Slices) -> None:
    image = volstream.load_image(slices.files[1])
    assert image.image_id == slices.files[1]
    assert volstream.load_image(slices.files[1] + "?frame=1") is image, "its file has no other"
    assert volstream.load_image(slices.rs[1]) is image, "the file says which instance it is"
    assert slices.requests == 0


def test_images_that_are_asked_for_at_once_are_fetched_once(slices: Slices) -> None:
    slices.server.misbehave(lambda request, reply: setattr(reply, "delay", 0.1), path=".")
    images: list[Image] = []
    threads = [threading.Thread(target=lambda: images.append(volstream.load_image(slices.rs[0]))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(images) == 6
    assert set(map(id, images)) == {id(images[0])}
    assert slices.requests == 2


def test_a_failure_is_everybodys_and_not_kept(slices: Slices) -> None:
    slices.server.misbehave(faults.status(404), times=3)
    with pytest.raises(HttpStatusError) as failure:
        volstream.load_image(slices.rs[0])
    assert failure.value.index is None, "an image alone is no slice"
    assert failure.value.uid
    assert cache.size == 0
    slices.server._rules.clear()
    assert volstream.load_image(slices.rs[0]).max == 1


def test_a_frame_of_many_has_to_be_named(tmp_path) -> None:
    made = case("enhanced", tmp_path / "enhanced")
    (path,) = made.files.values()
    with pytest.raises(UsageError, match="frames: say which"):
        volstream.load_image(f"dicomfile:{path}")
    image = volstream.load_image(f"dicomfile:{path}?frame=3")
    np.testing.assert_array_equal(image.pixels, made.array[2])
    assert image.frame == 3
    assert cache.find(f"dicomfile:{path}?frame=2") is None
    volume = volstream.create_volume("volume:all", [f"dicomfile:{path}"])
    assert volume.states[2] == 0, "an id without a number is all of the file"
    volume.load().wait(30)
    np.testing.assert_array_equal(volume.array, made.array)


def test_an_image_without_room_is_refused_before_its_pixels_are_fetched(slices: Slices) -> None:
    cache.limit = 9_999
    with pytest.raises(ResourceError, match="10000 bytes wanted, 9999 of 9999 free"):
        volstream.load_image(slices.rs[0])
    assert slices.server.count("/frames/") == 0
    assert cache.size == 0


def test_a_value_that_does_not_fit_makes_the_image_wider(tmp_path) -> None:
    made = case("plain", tmp_path / "plain")
    import pydicom

    path = next(iter(made.files.values()))
    dataset = pydicom.dcmread(path)
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 15, 1
    stored = np.frombuffer(dataset.PixelData, np.int16).copy()
    stored[0] = -32768
    dataset.PixelData = stored.tobytes()
    dataset.save_as(path)
    image = volstream.load_image(f"dicomfile:{path}")
    assert image.pixels.dtype == np.int32
    assert image.pixels[0, 0] == -32768 - 1024
    others = [f"dicomfile:{other}" for other in made.files.values()]
    volume = volstream.volume_from_images("volume:wide", [volstream.load_image(other) for other in others])
    assert volume.dtype == np.int32
    assert volume.array[0, 0, 0] == -32768 - 1024
    np.testing.assert_array_equal(volume.array[1:], made.array[1:])


# What imageLoader_test.js asserts: loaders by scheme, and one for what is unknown


class Loader:
    def __init__(self, value: int = 7) -> None:
        self.value = value
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, image_id: str, /, **options: Any) -> Image:
        self.calls.append((image_id, options))
        number = int(re.findall(r"\d+", image_id)[-1])
        return Image(
            pixels=np.full((10, 10), self.value + number, np.int16),
            image_id=image_id,
            position=(0.0, 0.0, 2.0 * number),
            orientation=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
            spacing=(0.5, 0.25),
            units="HU",
        )


def test_a_registered_loader_serves_its_scheme() -> None:
    loader, other = Loader(), Loader(70)
    assert volstream.register_image_loader("mine", loader) is None
    image = volstream.load_image("mine:slices/3", hurry=True)
    assert loader.calls == [("mine:slices/3", {"hurry": True})]
    assert (image.pixels == 10).all()
    assert volstream.load_image("mine:slices/3") is image
    assert len(loader.calls) == 1
    assert volstream.register_image_loader("mine", other) is loader, "the one before"
    assert volstream.load_image("mine:slices/4").pixels[0, 0] == 74
    assert volstream.register_image_loader("mine", None) is other
    with pytest.raises(UsageError, match="no image loader serves the scheme 'mine'; known: dicomfile, wadors, wadouri"):
        volstream.load_image("mine:slices/5")


def test_what_no_loader_serves_goes_to_the_one_for_unknown_schemes() -> None:
    known, unknown = Loader(), Loader(20)
    volstream.register_image_loader("mine", known)
    assert volstream.register_unknown_image_loader(unknown) is None
    assert volstream.load_image("mine:1").pixels[0, 0] == 8
    assert volstream.load_image("other:1").pixels[0, 0] == 21
    assert volstream.register_unknown_image_loader(None) is unknown


def test_a_loader_may_take_over_a_built_in_scheme(slices: Slices) -> None:
    loader = Loader()
    volstream.register_image_loader("wadors", loader)
    assert volstream.load_image(slices.rs[0]).pixels[0, 0] == 8
    assert slices.requests == 0


def test_a_volume_of_images_that_a_loader_brings() -> None:
    loader = Loader(0)
    volstream.register_image_loader("mine", loader)
    volume = volstream.create_volume("volume:mine", [f"mine:{number}" for number in (2, 0, 1)])
    assert volume.complete
    assert len(loader.calls) == 3
    assert volume.dtype == np.int16
    assert volume.units == "HU"
    assert (volume.array[:, 0, 0] == (0, 1, 2)).all()
    assert volume.spacing == (0.5, 0.25, 2.0)
    assert volstream.load_image("mine:1").is_view


def test_a_registered_volume_loader_serves_its_scheme() -> None:
    calls: list[Any] = []

    def loader(volume_id: str, image_ids: Any, /, **options: Any) -> volstream.Volume:
        calls.append((volume_id, image_ids, options))
        return volstream.create_local_volume(np.ones((2, 3, 4), np.float32), np.eye(4))

    assert volstream.register_volume_loader("mine", loader) is None
    volume = volstream.create_volume("mine:a", ["x:1"], size=2)
    assert calls == [("mine:a", ["x:1"], {"size": 2})]
    assert volstream.create_volume("mine:a") is volume
    assert cache.size == volume.segment.nbytes
    cache.limit = cache.size + 1000
    with cache.pin("mine:a"), pytest.raises(ResourceError):
        volstream.create_volume("mine:b")
    assert list(cache) == ["mine:a"], "what there was no room for is closed"


def test_the_streaming_loader_serves_unknown_volume_schemes(slices: Slices) -> None:
    volume = volstream.create_volume("whatever:a", slices.rs)
    assert volume.shape == (5, 100, 100)
    assert volstream.register_unknown_volume_loader(lambda volume_id, image_ids, **options: volume) is None
    assert volstream.create_volume("else:b") is volume


def test_loaders_of_installed_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def entry_points(*, group: str, name: str) -> list[EntryPoint]:
        asked.append(group)
        where = {"mine": f"{__name__}:LOADER", "broken": "not_installed:load"}
        return [EntryPoint(name, where[name], group)] if name in where else []

    monkeypatch.setattr(registry, "entry_points", entry_points)
    assert volstream.load_image("mine:1").pixels[0, 0] == 8
    assert asked == ["volstream.image_loaders"]
    with pytest.raises(UsageError, match=r"not_installed:load.*cannot be imported"):
        volstream.load_image("broken:1")
    with pytest.raises(UsageError, match="no image loader"):
        volstream.load_image("none:1")


LOADER = Loader()


def test_a_loader_that_asks_for_what_it_makes_is_told_so() -> None:
    volstream.register_image_loader("mine", lambda image_id, **options: volstream.load_image(image_id))
    with pytest.raises(UsageError, match="asks for what it is to make"):
        volstream.load_image("mine:1")
