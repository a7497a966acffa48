"""Whatever happens to a kept file, a load gives the right voxels: from it, or from the source again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import volstream
from dicomfactory import case
from dicomseries import Case
from volstream.store.layout import Layout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damage")


@pytest.fixture(scope="module")
def series(folder: Path) -> Case:
    return case("missing", folder / "series")


def load(series: Case, cache: Path, **options: bool) -> volstream.Volume:
    return volstream.load(series.folder, cache_dir=cache, gaps="fill", **options)


@pytest.fixture(scope="module")
def good(series: Case, folder: Path) -> tuple[Path, bytes]:
    load(series, folder / "cache").close()
    (file,) = (folder / "cache").glob("*.volstream")
    return file, file.read_bytes()


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_made_anew(series: Case, good: tuple[Path, bytes], data: st.DataObject) -> None:
    file, content = good
    layout = Layout.parse(content, len(content))
    voxels = layout.voxels_offset
    damaged = bytearray(content)
    at = data.draw(st.integers(0, voxels - 8) | st.integers(0, 400) | st.just(0))
    scribble = data.draw(st.binary(max_size=8))
    damaged[at : at + len(scribble)] = scribble
    del damaged[data.draw(st.just(len(content)) | st.integers(0, len(content))) :]
    for path in file.parent.glob("*.volstream"):
        path.unlink()
    file.write_bytes(damaged)
    for _ in range(2):
        with load(series, file.parent) as volume:
            there = volume.has_image
            np.testing.assert_array_equal(volume.array[there], series.array[there])
            assert (volume.array[~there] == volume.metadata["fill"]).all()
            assert volume.states.tolist() == [8 if image else 255 for image in there]
            assert volume.range == (series.array[there].min(), series.array[there].max())
            np.testing.assert_allclose(volume.affine, series.affine)
            assert volume.name.startswith(str(file.parent))
    assert len(list(file.parent.glob("*.volstream"))) == 1


def test_a_flipped_voxel_is_found_if_that_is_wanted(series: Case, good: tuple[Path, bytes]) -> None:
    file, content = good
    for path in file.parent.glob("*.volstream"):
        path.unlink()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with load(series, file.parent, cache_verify=True) as volume:
        there = volume.has_image
        np.testing.assert_array_equal(volume.array[there], series.array[there])
    assert not file.exists()
