"""Volumes from arrays, and over other volumes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import volstream
from dicomfactory import case
from volstream import UsageError, cache

AFFINE = np.array([[0.5, 0, 0.1, -10], [0, 0, 2.0, 20], [0, -0.5, 0, 30], [0, 0, 0, 1]])


def test_a_local_volume_and_two_images_count_their_bytes() -> None:
    volume = volstream.create_local_volume(np.zeros((60, 100, 100), np.uint8), AFFINE, volume_id="local:a")
    for number in range(2):
        cache.put(f"x:{number}", volstream.Image(pixels=np.zeros((100, 100), np.uint8)))
    overhead = volume.segment.nbytes - 600_000
    assert cache.size == 620_000 + overhead
    assert 0 < overhead < 128 << 10


@pytest.mark.parametrize(
    ("shape", "is_colour"),
    [((3, 4, 5), False), ((2, 3, 4, 5), False), ((4, 5, 6, 3), True), ((2, 3, 4, 5, 3), True), ((2, 1, 4, 5), False)],
)
def test_slices_lie_where_the_affine_says(shape: tuple[int, ...], is_colour: bool) -> None:
    array = np.arange(np.prod(shape)).reshape(shape).astype(np.uint16)
    with volstream.create_local_volume(array, AFFINE, units="HU", is_colour=is_colour) as volume:
        np.testing.assert_array_equal(volume.array, array)
        assert volume.complete
        assert volume.range == (0, array.size - 1)
        assert volume.states.tolist() == [8] * volume.segment.slices
        slices = array.reshape(volume.segment.slices, *shape[-3 if is_colour else -2 :])
        count = shape[-4 if is_colour else -3]
        for index, pixels in enumerate(slices):
            image = volume.image(index)
            np.testing.assert_array_equal(image.pixels, pixels)
            np.testing.assert_allclose(image.position, AFFINE[:3] @ (0, 0, index % count, 1))
            np.testing.assert_allclose(image.orientation, (1, 0, 0, 0, 0, -1))
            assert image.spacing == (0.5, 0.5)
            assert (image.min, image.max) == (pixels.min(), pixels.max())
            assert image.image_id is None
        with pytest.raises(UsageError, match="no imageIds"):
            volume.decache()
        with volstream.attach(volume.name) as attached:
            np.testing.assert_array_equal(attached.array, array)
            assert not attached.image(0).pixels.flags.writeable


def test_a_local_volume_can_be_taken_apart_and_put_together() -> None:
    array = np.arange(60, dtype=np.float64).reshape(3, 4, 5) / 7
    affine = np.diag([0.5, 0.25, 3.0, 1.0])
    volstream.create_local_volume(array, affine, volume_id="local:a").decache()
    assert list(cache) == ["local:a?slice=1", "local:a?slice=2", "local:a?slice=3"]
    np.testing.assert_array_equal(volstream.load_image("local:a?slice=2").pixels, array[1])
    again = volstream.volume_from_images("volume:b", list(cache))
    np.testing.assert_array_equal(again.array, array)
    np.testing.assert_allclose(again.affine, affine)
    assert again.dtype == np.float64


@pytest.mark.parametrize(
    "affine", [np.eye(3), np.zeros((4, 4)), np.diag([1, 1, 0, 1]), np.full((4, 4), np.nan), np.diag([1, 1, 1, 2])]
)
def test_an_affine_that_is_none(affine: np.ndarray) -> None:
    with pytest.raises(UsageError, match="affine"):
        volstream.create_local_volume(np.zeros((2, 3, 4)), affine)


@pytest.mark.parametrize(
    "array", [np.zeros((3, 4)), np.zeros((0, 3, 4)), np.zeros((2, 3, 4), complex), np.zeros((1, 2, 3, 4, 5))]
)
def test_an_array_that_is_no_volume(array: np.ndarray) -> None:
    with pytest.raises(UsageError):
        volstream.create_local_volume(array, np.eye(4))


def test_a_derived_volume_lies_on_the_same_grid(tmp_path: Path) -> None:
    made = case("tilt", tmp_path / "tilt")
    with volstream.load(made.folder) as reference, volstream.create_derived_volume(reference) as labels:
        assert labels.dtype == np.uint8
        assert labels.shape == reference.shape
        assert not labels.array.any()
        assert labels.complete
        np.testing.assert_array_equal(labels.affine, reference.affine)
        assert labels.metadata["frame_of_reference_uid"] == reference.metadata["frame_of_reference_uid"]
        labels.array[3, 4, 5] = 1
        assert labels.image(3).pixels[4, 5] == 1
        assert labels.image(3).position == pytest.approx(reference.image(3).position)
        assert np.isnan(labels.range[0]), "whoever writes changes it"
        assert not np.shares_memory(labels.array, reference.array)


def test_a_derived_volume_of_time_points_and_of_colour() -> None:
    with (
        volstream.create_local_volume(np.zeros((2, 3, 4, 5, 3), np.uint8), AFFINE, is_colour=True) as reference,
        volstream.create_derived_volume(reference, dtype="float32") as derived,
    ):
        assert derived.shape == (2, 3, 4, 5)
        assert derived.dtype == np.float32


def test_a_derived_volume_in_the_cache() -> None:
    volstream.create_local_volume(np.zeros((2, 3, 4), np.int16), AFFINE, volume_id="local:a")
    labels = volstream.create_derived_volume("local:a", volume_id="local:labels")
    assert cache.get("local:labels") is labels
    with pytest.raises(UsageError, match="already"):
        volstream.create_derived_volume("local:a", volume_id="local:labels")
    with pytest.raises(UsageError, match="nothing is cached"):
        volstream.create_derived_volume("local:b")
    cache.limit = cache.size
    with cache.pin("local:a"), cache.pin("local:labels"), pytest.raises(volstream.ResourceError):
        volstream.create_derived_volume("local:a", volume_id="local:more")
    assert len(cache) == 2
