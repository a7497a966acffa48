"""What is cached, or given, is not fetched again, and the volume is the one that would have been loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import faults
import volstream
from dicomfactory import case
from volstream import DamagedError, GeometryError, HttpStatusError, UsageError, cache

from .conftest import Slices

VOLUME = "cornerstoneStreamingImageVolume:scan"


def test_only_what_is_missing_is_fetched(slices: Slices) -> None:
    kept = volstream.load_image(slices.rs[1])
    volstream.load_image(slices.uri[4])
    before = slices.server.count("/frames/")
    volume = volstream.volume_from_images("volume:rest", [kept, *slices.rs])
    assert volume.states.tolist() == [0, 8, 0, 0, 8]
    volume.load().wait(30)
    assert slices.server.count("/frames/") == before + 3
    assert (volume.array[:, 0, 0] == (1, 2, 3, 4, 5)).all()


def test_images_given_need_not_be_cached(slices: Slices) -> None:
    images = [volstream.load_image(image_id) for image_id in slices.files]
    cache.purge()
    volume = volstream.volume_from_images("volume:given", reversed(images))
    assert (volume.array[:, 0, 0] == (1, 2, 3, 4, 5)).all()


def test_the_geometry_is_planned_as_always(slices: Slices) -> None:
    images = [volstream.load_image(image_id) for image_id in slices.files]
    with pytest.raises(GeometryError, match="missing"):
        volstream.volume_from_images("volume:gap", images[:2] + images[3:])
    volume = volstream.volume_from_images("volume:gap", images[:2] + images[3:], gaps="fill")
    assert volume.states.tolist() == [8, 8, 255, 8, 8]
    assert (volume.array[:, 0, 0] == (1, 2, 0, 4, 5)).all()


@pytest.mark.parametrize("form", ["rs", "uri", "files"])
def test_without_the_headers_of_the_series(slices: Slices, form: str) -> None:
    ids = getattr(slices, form)
    volume = volstream.create_volume(VOLUME, ids, prefetch=False)
    assert volume.complete
    assert (volume.array[:, 0, 0] == (1, 2, 3, 4, 5)).all()
    assert slices.requests == {"rs": 10, "uri": 5, "files": 0}[form]
    assert slices.server.count("/series/[0-9.]+/metadata") == 0
    assert list(cache) == [VOLUME], "the images are in the volume, not beside it"
    with volstream.load(ids, prefetch=False) as alone:
        np.testing.assert_array_equal(alone.array, volume.array)
        np.testing.assert_array_equal(alone.affine, volume.affine)
        assert alone.metadata == volume.metadata


def test_without_headers_the_first_failure_is_raised(slices: Slices) -> None:
    slices.server.misbehave(faults.status(404))
    with pytest.raises(HttpStatusError):
        volstream.load(slices.rs, prefetch=False)
    with pytest.raises(UsageError, match="prefetch"):
        volstream.load(slices.rs, prefetch=False, on_error="fill")
    with pytest.raises(UsageError, match="list of imageIds"):
        volstream.load(slices.server.series_url, prefetch=False)


def test_images_from_memory_have_no_name_but_their_uid(slices: Slices) -> None:
    files = [Path(name.removeprefix("dicomfile:")).read_bytes() for name in slices.files]
    low, high = (
        volstream.create_volume(f"volume:{part}", iter(some)) for part, some in enumerate((files[:3], files[3:]))
    )
    for volume in (low, high):
        volume.load().wait(30)
    assert low.image_id(0) == high.image_id(0), "places in two lists"
    assert volstream.load_image(slices.rs[3]).pixels[0, 0] == 4
    assert cache.find("dicomfile:memory:0") is None
    images = [low.image(0), low.image(1), low.image(2), high.image(0), high.image(1)]
    both = volstream.volume_from_images("volume:both", images)
    assert (both.array[:, 0, 0] == (1, 2, 3, 4, 5)).all()
    with pytest.raises(UsageError, match="no imageIds"):
        high.decache()
    assert slices.requests == 0


def test_what_is_there_twice_is_found_though_some_is_cached(slices: Slices, tmp_path: Path) -> None:
    """As without a cache: two files at one place are reported, not dropped."""
    copies = [tmp_path / f"copy{number}.dcm" for number in range(2)]
    for copy in copies:
        copy.write_bytes(Path(slices.files[4].removeprefix("dicomfile:")).read_bytes())
    ids = [*slices.files[:4], *(f"dicomfile:{copy}" for copy in copies)]
    volstream.load_image(ids[0])
    with pytest.raises(GeometryError, match="at the same place"):
        volstream.create_volume(VOLUME, ids)
    volume = volstream.create_volume(VOLUME, ids, duplicates="first")
    volume.load().wait(30)
    assert (volume.array[:, 0, 0] == (1, 2, 3, 4, 5)).all()


def test_two_images_with_one_uid_are_not_mistaken_for_each_other(slices: Slices) -> None:
    image = volstream.load_image(slices.files[0])
    other = replace(image, pixels=image.pixels + 1)
    with pytest.raises(DamagedError, match="two different images"):
        volstream.volume_from_images(VOLUME, [image, other])
    assert volstream.volume_from_images(VOLUME, [image, image, slices.uri[0]]).shape == (1, 100, 100)


def test_cached_slices_and_stages_go_together(slices: Slices) -> None:
    volstream.load_image(slices.rs[2])
    volume = volstream.create_volume(VOLUME, slices.rs, stages="interleaved")
    assert volume.states.tolist() == [0, 0, 8, 0, 0]
    volume.load().wait(30)
    assert (volume.array[:, 0, 0] == (1, 2, 3, 4, 5)).all()


def test_floats_are_reused_only_if_they_were_rounded_in_the_same_way(tmp_path: Path) -> None:
    made = case("pet", tmp_path / "pet")
    ids = [f"dicomfile:{file}" for file in made.files.values()]
    with volstream.load(ids, dtype="float64") as reference:
        exact = reference.array.copy()
    for image_id in ids[:6]:
        volstream.load_image(image_id)
    volume = volstream.create_volume("volume:64", ids, dtype="float64")
    assert not volume.states.any(), "those are float32"
    volume.load().wait(30)
    np.testing.assert_array_equal(volume.array, exact)
    volume.decache(completely=True)
    volume = volstream.create_volume("volume:32", ids)
    assert np.count_nonzero(volume.states) == 6
    volume.load().wait(30)
    np.testing.assert_array_equal(volume.array, made.array)
    images = [volstream.load_image(image_id) for image_id in ids]
    with pytest.raises(UsageError, match="image of float32"):
        volstream.volume_from_images("volume:64", images, dtype="float64")
