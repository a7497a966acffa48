"""Volumes that are kept on disk: found again, made anew when the source has changed, never written to."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

import volstream
from dicomfactory import CASES, case
from dicomseries import Case
from volstream import CancelledError, ResourceError, SourceError, UsageError, Volume
from volstream.cli import main
from volstream.plan.stages import Stage


@pytest.fixture
def series(tmp_path: Path) -> Case:
    return case("plain", tmp_path / "series")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def kept(cache: Path) -> list[int]:
    """When each file was made, which its header says."""
    return sorted(struct.unpack_from("<Q", path.read_bytes(), 112)[0] for path in cache.glob("*.volstream"))


def assert_same(volume: Volume, plain: Volume) -> None:
    """The same in all that it says and holds."""
    np.testing.assert_array_equal(volume.array, plain.array)
    np.testing.assert_array_equal(volume.states, plain.states)
    np.testing.assert_array_equal(volume.segment.ranges, plain.segment.ranges)
    np.testing.assert_array_equal(volume.affine, plain.affine)
    assert volume.array.dtype == plain.array.dtype
    assert volume.array.flags.writeable
    assert (volume.metadata, volume.units, volume.range) == (plain.metadata, plain.units, plain.range)
    assert volume.geometry.findings == plain.geometry.findings
    assert [volume.image_id(i) for i in range(len(volume.states))] == [
        plain.image_id(i) for i in range(len(plain.states))
    ]
    assert volume.complete
    assert volume.ended
    assert volume.errors == {}


FORMS = {"folder", "list", "imageIds", "zip", "glob"}


@pytest.mark.parametrize("form", sorted(FORMS))
def test_what_is_on_disk_is_loaded_once(form: str, series: Case, cache: Path, tmp_path: Path) -> None:
    files = sorted(series.files.values())
    source: Any = {
        "folder": series.folder,
        "list": files,
        "imageIds": [f"dicomfile:{file}" for file in files],
        "zip": tmp_path / "series.zip",
        "glob": f"{series.folder}/*.dcm",
    }[form]
    shutil.make_archive(str(tmp_path / "series"), "zip", series.folder)
    found = []
    with volstream.load(source) as plain:
        for _ in range(3):
            with volstream.load(source, cache_dir=cache) as volume:
                assert_same(volume, plain)
                found.append(kept(cache))
    assert len(found[0]) == 1
    assert found[0] == found[1] == found[2]


#: What `load` needs for cases that are not plain.
OPTIONS: dict[str, dict[str, Any]] = {
    "missing": {"gaps": "fill"},
    "duplicate": {"duplicates": "first"},
    "no_position": {"missing_position": "drop", "gaps": "fill"},
}


@pytest.mark.parametrize("name", ["tilt", "missing", "duplicate", "pet", "time_points", "enhanced", "no_position"])
def test_every_kind_of_volume_comes_back_as_it_was(name: str, cache: Path, tmp_path: Path) -> None:
    assert name in CASES
    made, options = case(name, tmp_path / "series"), OPTIONS.get(name, {})
    with volstream.load(made.folder, **options) as plain:
        for _ in range(2):
            with volstream.load(made.folder, cache_dir=cache, **options) as volume:
                assert_same(volume, plain)
                assert volume.segment.activity == plain.segment.activity
    assert len(kept(cache)) == 1


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_a_second_load_reads_no_pixels(executor: str, series: Case, cache: Path) -> None:
    volstream.load(series.folder, cache_dir=cache, executor=executor).close()
    (file,) = cache.glob("*.volstream")
    status = file.stat()
    with volstream.open(series.folder, cache_dir=cache) as volume:
        assert volume.name == str(file)
        assert volume.complete, "at once"
        assert volume.wait(timeout=10)
        assert sorted(event.index for event in volume.events()) == list(range(12))
        assert volume.load().wait(timeout=10) is volume
        volume.cancel()
        np.testing.assert_array_equal(volume.array, series.array)
    after = file.stat()
    assert (after.st_ino, after.st_size) == (status.st_ino, status.st_size)


def test_a_users_changes_stay_with_the_user(series: Case, cache: Path) -> None:
    for _ in range(3):
        with volstream.load(series.folder, cache_dir=cache) as volume:
            np.testing.assert_array_equal(volume.array, series.array)
            volume.array[...] = -7
            assert volume.array.max() == -7


def test_arrays_outlive_the_volume_and_the_file(series: Case, cache: Path) -> None:
    for _ in range(2):
        with volstream.load(series.folder, cache_dir=cache) as volume:
            array = volume.array
        np.testing.assert_array_equal(array, series.array)
    shutil.rmtree(cache)
    np.testing.assert_array_equal(array, series.array)


def test_a_changed_source_is_loaded_anew(series: Case, cache: Path) -> None:
    volstream.load(series.folder, cache_dir=cache).close()
    before = kept(cache)
    file = series.files[series.uids[3]]
    dataset = pydicom.dcmread(file)
    dataset.PixelData = bytes(len(dataset.PixelData))
    dataset.save_as(file)
    for _ in range(2):
        with volstream.load(series.folder, cache_dir=cache) as volume:
            assert (volume.array[3] == -1024).all()
            np.testing.assert_array_equal(volume.array[4:], series.array[4:])
    assert len(kept(cache)) == 1
    assert kept(cache) != before


def test_a_series_that_grows_is_loaded_anew(series: Case, cache: Path, tmp_path: Path) -> None:
    last = series.files[series.uids[-1]]
    last.rename(tmp_path / "last")
    with volstream.load(series.folder, cache_dir=cache) as volume:
        assert volume.shape[0] == 11
    (tmp_path / "last").rename(last)
    with volstream.load(series.folder, cache_dir=cache) as volume:
        np.testing.assert_array_equal(volume.array, series.array)
    assert len(kept(cache)) == 1


def test_what_is_gone_is_not_taken_from_the_cache(series: Case, cache: Path) -> None:
    volstream.load(series.folder, cache_dir=cache).close()
    shutil.rmtree(series.folder)
    with pytest.raises(SourceError):
        volstream.load(series.folder, cache_dir=cache)


def test_options_that_change_the_volume_make_another(series: Case, cache: Path) -> None:
    for dtype in (None, "float32", "int32"):
        for _ in range(2):
            with volstream.load(series.folder, cache_dir=cache, dtype=dtype) as volume:
                assert volume.dtype == (dtype or "int16")
                np.testing.assert_array_equal(volume.array, series.array)
    for options in ({"executor": "processes"}, {"workers": 1}, {"connections": 3}):
        volstream.load(series.folder, cache_dir=cache, **options).close()
    assert len(kept(cache)) == 3


def test_a_dtype_that_turned_out_too_narrow_is_not_tried_again(cache: Path, tmp_path: Path) -> None:
    made = case("plain", tmp_path / "series")
    for file in made.files.values():
        dataset = pydicom.dcmread(file)
        dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 15, 1
        stored = np.frombuffer(dataset.PixelData, np.int16).copy()
        stored[0] = -32768
        dataset.PixelData = stored.tobytes()
        dataset.save_as(file)
    found = []
    for _ in range(2):
        with volstream.load(made.folder, cache_dir=cache) as volume:
            assert volume.dtype == np.int32
            assert volume.array[0, 0, 0] == -32768 - 1024
        found.append(kept(cache))
    assert len(found[0]) == 1
    assert found[0] == found[1]


def test_another_version_of_the_program_loads_anew(series: Case, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    volstream.load(series.folder, cache_dir=cache).close()
    before = kept(cache)
    monkeypatch.setattr("volstream.caching._program", lambda: "volstream 99")
    with volstream.load(series.folder, cache_dir=cache) as volume:
        np.testing.assert_array_equal(volume.array, series.array)
    assert kept(cache) != before


def test_images_in_memory_are_not_kept(series: Case, cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "volstream")
    files = [file.read_bytes() for file in series.files.values()]
    with volstream.load(files, cache_dir=cache) as volume:
        np.testing.assert_array_equal(volume.array, series.array)
        assert volume.name.startswith("/volstream-")
    assert kept(cache) == []
    assert "not cached" in caplog.text


def test_without_room_a_volume_is_loaded_all_the_same(
    series: Case, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with volstream.load(series.folder, cache_dir=cache, cache_limit=1000) as volume:
        np.testing.assert_array_equal(volume.array, series.array)
    assert kept(cache) == []
    assert "cache_limit is 1000" in caplog.text


def test_a_cache_within_the_source_is_no_part_of_it(series: Case) -> None:
    for _ in range(2):
        with volstream.load(series.folder, cache_dir=series.folder) as volume:
            np.testing.assert_array_equal(volume.array, series.array)
        found = kept(series.folder)
    assert found == kept(series.folder)
    assert len(found) == 1


def test_failed_loads_leave_nothing(cache: Path, tmp_path: Path) -> None:
    made = case("truncated", tmp_path / "series")
    with pytest.raises(volstream.VolstreamError) as raised:
        volstream.load(made.folder, cache_dir=cache)
    assert raised.value.uid in made.odd
    assert kept(cache) == []
    with volstream.load(made.folder, cache_dir=cache, on_error="fill") as volume:
        assert len(volume.errors) == 1
        (failed,) = volume.errors
        rest = np.setdiff1d(np.arange(12), failed)
        np.testing.assert_array_equal(volume.array[rest], made.array[rest])
        assert (volume.array[failed] == volume.metadata["fill"]).all()
    assert kept(cache) == []


def test_a_cancelled_load_goes_on_and_is_kept(series: Case, cache: Path) -> None:
    with volstream.open(series.folder, cache_dir=cache) as volume:
        for _ in range(20):
            volume.cancel()
            volume.load()
        volume.wait(timeout=30)
        np.testing.assert_array_equal(volume.array, series.array)
    with volstream.open(series.folder, cache_dir=cache) as volume:
        assert volume.complete


def test_a_cancelled_load_that_ends_so_leaves_nothing(series: Case, cache: Path) -> None:
    with volstream.open(series.folder, cache_dir=cache) as volume:
        volume.cancel()
        try:
            volume.wait(timeout=30)
        except CancelledError:
            whole = 0
        else:
            whole = 1
    assert len(kept(cache)) == whole


def test_two_volumes_of_one_process_load_once(series: Case, cache: Path) -> None:
    with volstream.open(series.folder, cache_dir=cache) as one, volstream.open(series.folder, cache_dir=cache) as other:
        assert one.wait(timeout=30)
        assert other.wait(timeout=30)
        assert len(kept(cache)) == 1
        np.testing.assert_array_equal(one.array, other.array)
        one.array[...] = 0
        np.testing.assert_array_equal(other.array, series.array)


def test_under_asyncio(series: Case, cache: Path) -> None:
    async def load() -> set[int]:
        async with volstream.open(series.folder, cache_dir=cache) as volume:
            await volume.wait_async(timeout=30)
            np.testing.assert_array_equal(volume.array, series.array)
            return {event.index async for event in volume.events()}

    async def main() -> None:
        assert await load() == set(range(12))
        assert await load() == set(range(12))
        both = await asyncio.gather(load(), load())
        assert both == [set(range(12))] * 2

    asyncio.run(main())
    assert len(kept(cache)) == 1


def test_progress_is_told(series: Case, cache: Path) -> None:
    for _ in range(2):
        told: list[tuple[int, int]] = []
        options = {"progress": lambda done, total, told=told: told.append((done, total)), "cache_dir": cache}
        volstream.load(series.folder, **options).close()
        assert told[-1] == (12, 12)


def test_on_the_command_line(series: Case, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        arguments = ["load", str(series.folder), "-o", f"cache_dir={cache}", "-o", "cache_limit=1e9", "--json"]
        assert main(arguments) == 0
        assert json.loads(capsys.readouterr().out)["shape"] == [12, 24, 32]
    assert len(kept(cache)) == 1
    assert main(["load", str(series.folder), "-o", "cache_dir=7"]) == 2


def test_a_folder_that_cannot_be_used_is_an_error(series: Case, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError):
        volstream.load(series.folder, cache_dir=tmp_path / "file")
    with pytest.raises(UsageError):
        volstream.load(series.folder, cache_dir=tmp_path, cache_limit=-1)


def test_less_than_full_quality_is_not_kept(series: Case, cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "volstream")
    with volstream.open(series.folder, cache_dir=cache, stages=(Stage(reduce=3),)) as volume:
        assert volume.quality == 6
        assert volume.name.startswith("/volstream-")
    assert kept(cache) == []
    assert "less than full quality" in caplog.text
    volstream.load(series.folder, cache_dir=cache).close()
    with volstream.open(series.folder, cache_dir=cache, stages=(Stage(reduce=3),)) as volume:
        assert volume.quality == 8, "what is there already is not made worse"
        np.testing.assert_array_equal(volume.array, series.array)


def test_a_volume_can_be_looked_at_while_it_is_loaded_into_the_cache(series: Case, cache: Path) -> None:
    with volstream.open(series.folder, cache_dir=cache) as volume:
        array = volume.array
        volume.prioritize([3])
        for event in volume.events(timeout=10):
            np.testing.assert_array_equal(array[event.index], series.array[event.index])
        assert volume.array.flags.writeable
    with volstream.open(series.folder, cache_dir=cache) as volume:
        volume.prioritize([3])
        assert volume.complete
