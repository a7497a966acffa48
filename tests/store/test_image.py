"""A slice as an image: view, metadata, memory; from the process that loads and from an attached one."""

from __future__ import annotations

import gc
import math
from pathlib import Path

import numpy as np
import pytest

import volstream
from dicomfactory import case
from dicomseries import plain, write
from volstream import UsageError
from volstream.errors import SegmentError
from volstream.records import Rescale
from volstream.samples.instance import Grid
from volstream.store.image import Image
from volstream.store.segment import Segment
from volstream.store.volume import Volume

ORIENTATIONS = {
    "sagittal": (0.0, 1.0, 0.0, 0.0, 0.0, -1.0),
    "coronal": (1.0, 0.0, 0.0, 0.0, 0.0, -1.0),
    "oblique": (0.8, 0.6, 0.0, 0.0, 0.0, -1.0),
    "flipped": (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
}


@pytest.mark.parametrize("name", ["plain", "reversed", "tilt", "pet", "enhanced", "jitter", *ORIENTATIONS])
def test_each_slice_knows_where_it_lies(name: str, tmp_path: Path) -> None:
    if name in ORIENTATIONS:
        made = write(plain(grid=Grid(24, 32, (0.9, 0.8), ORIENTATIONS[name], 2.5)), tmp_path / name)
    else:
        made = case(name, tmp_path / name)
    with volstream.load(made.folder) as volume, volstream.attach(volume.name) as attached:
        for k in range(volume.shape[0]):
            image, far = volume.image(k), attached.image(k)
            np.testing.assert_array_equal(image.pixels, made.array[k])
            # PS3.3 C.7.6.2.1.1: position + row * i * spacing along it + column * j * spacing down it.
            i, j = 5, 7
            row, column = np.reshape(image.orientation, (2, 3))
            point = np.array(image.position) + row * i * image.spacing[0] + column * j * image.spacing[1]
            np.testing.assert_allclose(point, (made.affine @ (i, j, k, 1))[:3], atol=0.03)
            assert np.shares_memory(image.pixels, volume.array)
            assert image.pixels.flags.writeable
            assert not far.pixels.flags.writeable
            for field in ("index", "image_id", "position", "orientation", "spacing", "window", "rescale", "units"):
                assert getattr(image, field) == getattr(far, field)
            assert (image.uid, image.frame) == (far.uid, far.frame)
            assert (image.min, image.max) == (far.min, far.max) == (made.array[k].min(), made.array[k].max())
            assert image.record is not None
            assert far.record is None


def test_an_uneven_slice_knows_its_own_place(tmp_path: Path) -> None:
    made = case("jump", tmp_path / "jump")
    with volstream.load(made.folder, uneven="mean") as volume:
        places = [volume.image(k).position[2] for k in range(volume.shape[0])]
        assert places == [position[2] for position in volume.metadata["slices"]["positions"]]
        assert not np.allclose(np.diff(places), volume.spacing[2])


def test_an_image_by_its_id(tmp_path: Path) -> None:
    made = case("plain", tmp_path / "plain")
    with volstream.load(made.folder) as volume:
        path, uid = made.files[made.uids[3]], made.uids[3]
        for image_id in (
            f"dicomfile:{path}",
            f"dicomfile:{path}?frame=1",
            f"wadors:http://h/studies/1/series/2/instances/{uid}/frames/1",
            f"wadouri:http://h/wado?requestType=WADO&objectUID={uid}",
            f"wadouri:http://h/wado?objectUID={uid}&frame=1&token=x",
        ):
            assert volume.image(image_id).index == 3
            assert volume.image_index(image_id) == 3
        for wrong in (f"wadouri:http://h/wado?objectUID={uid}&frame=2", "dicomfile:elsewhere", 12, -1):
            with pytest.raises(UsageError, match="no image"):
                volume.image(wrong)
        with pytest.raises(UsageError, match="no imageId"):
            volume.image("elsewhere")


def test_a_gap_is_no_image(tmp_path: Path) -> None:
    made = case("missing", tmp_path / "missing")
    with volstream.load(made.folder, gaps="fill") as volume:
        gap = int(np.flatnonzero(~volume.has_image)[0])
        with pytest.raises(UsageError, match=f"no image with index {gap}"):
            volume.image(gap)


def test_values_can_be_taken_back_to_what_is_stored(tmp_path: Path) -> None:
    """Each PET slice has a slope of its own."""
    import pydicom

    made = case("pet", tmp_path / "pet")
    with volstream.load(made.folder) as volume:
        slopes = set()
        for k, uid in enumerate(made.uids):
            stored = pydicom.dcmread(made.files[uid]).pixel_array
            image = volume.image(k)
            slopes.add(image.rescale.slope)
            assert image.stored().dtype == stored.dtype == np.uint16
            np.testing.assert_array_equal(image.stored(), stored)
        assert len(slopes) == len(made.uids)


def test_what_was_rounded_away_is_not_invented() -> None:
    large = Image(pixels=np.full((2, 2), 0.1 * (2**31 + 7), np.float32), rescale=Rescale(0.1), stored_dtype="uint32")
    with pytest.raises(UsageError, match="rounded"):
        large.stored()
    small = Image(pixels=np.full((2, 2), 0.1 * 70_001, np.float32), rescale=Rescale(0.1), stored_dtype="uint32")
    assert (small.stored() == 70_001).all()
    for image in (
        Image(pixels=np.zeros((2, 2), np.int16), rescale=None, stored_dtype="uint8"),
        Image(pixels=np.zeros((2, 2, 3), np.uint8), stored_dtype="uint8", photometric="YBR_FULL"),
        Image(pixels=np.zeros((2, 2), np.int16)),
    ):
        with pytest.raises(UsageError, match="cannot be undone"):
            image.stored()


def make(slices: int = 3) -> Volume:
    return Volume(Segment.create((slices, 4, 5), "int16", {}, slices=slices), None)


def test_an_image_is_live_while_its_volume_loads() -> None:
    with make() as volume:
        image = volume.image(1)
        assert (image.state, image.is_view) == (0, True)
        assert math.isnan(image.min)
        volume.array[1] = 7
        volume.segment.publish(1, 6, 7, 7)
        own = image.copy()
        assert (image.state, image.min, image.max) == (6, 7, 7)
        volume.array[1] = 8
        volume.segment.publish(1, 8, 8, 8)
        assert (image.state, image.max) == (8, 8)
        assert (own.state, own.max, own.is_view, own.index) == (6, 7, False, None)
        assert (own.pixels == 7).all()


def test_an_image_keeps_the_memory_of_a_closed_volume() -> None:
    volume = make()
    volume.array[2] = 5
    volume.segment.publish(2, 8, 5, 5)
    image = volume.image(2)
    volume.close()
    del volume
    gc.collect()
    assert (image.pixels == 5).all()
    assert (image.state, image.min, image.max) == (8, 5, 5)


def test_a_segment_without_geometry_has_images_without() -> None:
    with make() as volume:
        image = volume.image(0)
        assert (image.position, image.orientation, image.spacing) == (None, None, None)


def test_unplaced_images_have_a_spacing_alone(tmp_path: Path) -> None:
    metadata = {"affine": np.diag([0.5, 0.25, 1, 1]).tolist(), "is_placed": False}
    with Volume(Segment.create((2, 4, 5), "uint8", metadata, slices=2), None) as volume:
        assert volume.image(1).position is None
        assert volume.image(1).spacing == (0.5, 0.25)


@pytest.mark.parametrize(
    "damage",
    [
        {"images": 3},
        {"images": []},
        {"images": [{}]},
        {"images": [{"window": "wide"}], "slices": {"images": [0]}},
        {"images": [{"window": None}], "slices": {"images": [7], "uids": ["1"], "positions": [[1, 2]], "frames": [0]}},
    ],
)
def test_damaged_metadata_are_an_error(damage: dict) -> None:
    with Volume(Segment.create((1, 4, 5), "uint8", damage, slices=1), None) as volume, pytest.raises(SegmentError):
        volume.image(0)
