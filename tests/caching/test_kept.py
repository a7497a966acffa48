"""The cache in memory over the one on disk: a volume by its id, mapped from the file that an earlier one left."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import volstream
from volstream import ResourceError, cache

from .conftest import Slices

VOLUME = "volume:scan"


def test_a_volume_by_its_id_comes_from_disk(slices: Slices, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    volume = volstream.create_volume(VOLUME, slices.rs, cache_dir=kept)
    volume.load().wait(30)
    held = volume.array
    volume.decache(completely=True)
    frames = slices.server.count("/frames/")
    again = volstream.create_volume(VOLUME, slices.rs, cache_dir=kept)
    again.load().wait(30)
    np.testing.assert_array_equal(again.array, held)
    assert again.name.startswith(str(kept))
    assert slices.server.count("/frames/") == frames
    image = volstream.load_image(slices.uri[2])
    assert image.is_view
    assert np.shares_memory(image.pixels, again.array)
    assert (image.pixels == 3).all()
    assert image.state == 8
    assert cache.size == again.segment.nbytes
    again.decache()
    assert (volstream.load_image(slices.rs[4]).pixels == 5).all()
    assert slices.server.count("/frames/") == frames


def test_what_is_made_of_images_at_hand_is_not_kept(slices: Slices, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    volstream.load_image(slices.rs[0])
    volume = volstream.create_volume(VOLUME, slices.rs, cache_dir=kept)
    volume.load().wait(30)
    assert volume.name.startswith("/volstream-")
    assert not kept.exists() or not list(kept.glob("*.volstream"))


@pytest.mark.parametrize("is_kept", [False, True])
def test_the_budget_of_memory_counts_kept_volumes_too(
    is_kept: bool, slices: Slices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept"
    if is_kept:
        volstream.load(slices.rs, cache_dir=kept).close()
    monkeypatch.setattr(cache, "_limit", 50_000)
    with pytest.raises(ResourceError):
        volstream.create_volume(VOLUME, slices.rs, cache_dir=kept)
    assert len(list(kept.glob("*.volstream"))) == is_kept
