"""The folder of kept volumes: what is found in it, what makes room, and what is left alone."""

from __future__ import annotations

import fcntl
import itertools
import logging
import os
import re
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from volstream.errors import ResourceError, UsageError
from volstream.store import disk, entries, memory
from volstream.store.cached import CachedSegment
from volstream.store.disk import CacheOptions, DiskCache
from volstream.store.segment import Segment
from volstream.store.states import FULL

#: Of a file with 2 slices of 100 KiB.
SIZE = 65536 + 2 * 102400
#: Long ago, one after the other.
_TIMES = itertools.count(10**18, 10**9)


def cache_of(folder: Path, **options: Any) -> DiskCache:
    return DiskCache(CacheOptions(folder, **options))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "cache"


def create(cache: DiskCache, key: str, stamp: str = "now") -> CachedSegment | None:
    return cache.create(key, {"stamp": stamp}, shape=(2, 320, 320), dtype="uint8", metadata={}, slices=2)


def add(cache: DiskCache, key: str, stamp: str = "now") -> Path:
    """A finished file; used later than those before it."""
    segment = create(cache, key, stamp)
    assert segment is not None
    with segment:
        with closing(segment.writer()) as writer:
            for index in range(2):
                writer.put(index, bytes([index + 1]) * 102400, FULL, index + 1, index + 1)
        segment.seal()
    path = Path(segment.name)
    os.utime(path, ns=(0, next(_TIMES)))
    return path


def kept(folder: Path) -> set[str]:
    return {path.stem.partition("-")[0] for path in folder.glob("*.volstream")}


def test_what_was_finished_is_found(folder: Path) -> None:
    cache = cache_of(folder)
    assert cache.find("a") is None
    path = add(cache, "a")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_size == SIZE
    found = cache.find("a")
    assert found is not None
    with found:
        assert found.array[:, 0, 0].tolist() == [1, 2]
    assert cache.find("b") is None


def test_using_a_file_makes_it_the_youngest(folder: Path) -> None:
    cache = cache_of(folder)
    path = add(cache, "a")
    old = path.stat().st_mtime_ns
    found = cache.find("a")
    assert found is not None
    found.close()
    assert path.stat().st_mtime_ns > old


def test_the_longest_unused_make_room(folder: Path) -> None:
    cache = cache_of(folder, cache_limit=3 * SIZE)
    first, _, _ = [add(cache, key) for key in "abc"]
    assert kept(folder) == set("abc")
    os.utime(first)
    add(cache, "d")
    assert kept(folder) == set("acd")


def test_files_in_use_are_never_removed(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = cache_of(folder, cache_limit=2 * SIZE)
    with Segment.attach(add(cache, "a")):
        add(cache, "b")
        add(cache, "c")
        assert kept(folder) == {"a", "c"}
        being_filled = create(cache, "d")
        assert being_filled is not None
        with being_filled:
            assert kept(folder) == {"a", "d"}
            assert create(cache, "e") is None
            assert "full of volumes in use" in caplog.text
        assert kept(folder) == {"a"}
    add(cache, "e")
    add(cache, "f")
    assert kept(folder) == {"e", "f"}


def test_a_volume_that_never_fits_removes_nothing(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    add(cache_of(folder), "a")
    assert create(cache_of(folder, cache_limit=SIZE - 1), "b") is None
    assert f"needs {SIZE} bytes, and cache_limit is {SIZE - 1}" in caplog.text
    assert kept(folder) == {"a"}


def test_a_full_disk_makes_room_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = cache_of(folder)
    for key in "abc":
        add(cache, key)

    def available(where: Path) -> tuple[int, str]:
        return 10**6 + (3 - len(kept(folder))) * SIZE - 10**6, "a small disk"

    monkeypatch.setattr(memory, "available", available)
    add(cache, "d")
    assert kept(folder) == set("bcd")
    monkeypatch.setattr(memory, "available", lambda where: (0, "a full disk"))
    assert create(cache, "e") is None


def test_what_was_not_finished_is_removed(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "volstream")
    cache = cache_of(folder)
    segments = [create(cache, key) for key in "ab"]
    (folder / "c-0.volstream").write_bytes(b"")
    for segment in segments:
        assert segment is not None
        segment.detach()  # as if the process had been killed
    assert kept(folder) == set("abc")
    assert cache.find("a") is None
    assert re.search(r"a-[0-9a-f]{8}\.volstream was not finished", caplog.text)
    assert kept(folder) == set("bc")
    add(cache, "d")
    assert kept(folder) == {"d"}, "others' too"


def test_a_damaged_file_is_removed(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "volstream")
    cache = cache_of(folder)
    for offset, change in ((0, b"?"), (8, b"\2"), (4096, b"?"), (280, b"????"), (SIZE - 1, b"")):
        path = add(cache, "a")
        content = bytearray(path.read_bytes())
        content[offset : offset + max(1, len(change))] = change
        path.write_bytes(content)
        assert cache.find("a") is None
        assert kept(folder) == set()
    assert re.search(r"a-[0-9a-f]{8}\.volstream is made anew: ", caplog.text)


def test_voxels_are_compared_if_that_is_wanted(folder: Path) -> None:
    path = add(cache_of(folder), "a")
    with path.open("r+b") as file:
        file.seek(SIZE - 5)
        file.write(b"\7")
    found = cache_of(folder).find("a")
    assert found is not None
    found.close()
    assert cache_of(folder, cache_verify=True).find("a") is None
    assert kept(folder) == set()


def test_what_is_being_filled_is_shared(folder: Path) -> None:
    cache = cache_of(folder)
    first = create(cache, "a")
    assert first is not None
    second, third = create(cache, "a"), cache.find("a")
    assert second is not None
    assert third is not None
    assert (first.is_owner, second.is_owner, third.is_owner) == (True, False, False)
    first.publish(0, FULL)
    assert second.states.tolist() == third.states.tolist() == [8, 0]
    for segment in (first, second, third):
        segment.close()
    assert kept(folder) == set()


def test_an_outdated_file_is_replaced_unless_it_is_being_filled(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = cache_of(folder)
    with CachedSegment.attach(add(cache, "a", "old")) as reader:
        new = create(cache, "a", "new")
        assert new is not None
        np.testing.assert_array_equal(reader.array[:, 0, 0], [1, 2])
        assert create(cache, "a", "newest") is None
        assert "another process is loading" in caplog.text
        with new:
            assert new.made_from == {"stamp": "new"}


def test_foreign_things_in_the_folder_are_left_alone(folder: Path) -> None:
    cache = cache_of(folder, cache_limit=2 * SIZE)
    add(cache, "a")
    (folder / "note.txt").write_text("mine")
    (folder / "sub-1.volstream").mkdir()
    (folder / "link-1.volstream").symlink_to(folder / "note.txt")
    add(cache, "b")
    for key in ("sub", "link"):
        assert cache.find(key) is None
        add(cache, key)
    assert (folder / "note.txt").read_text() == "mine"
    assert (folder / "sub-1.volstream").is_dir()
    assert (folder / "link-1.volstream").is_symlink()


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="as a cache"):
        cache_of(tmp_path / "file")
    with pytest.raises(ResourceError, match="as a cache"):
        cache_of(tmp_path / "file" / "below")


def test_locks_that_a_system_lacks_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "CAN_TELL_USE", False)
    with pytest.raises(UsageError, match="locks"):
        cache_of(tmp_path)


@pytest.mark.parametrize("options", [{"cache_limit": -1}, {"cache_limit": "20 GB"}, {"cache_dir": 5}])
def test_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        CacheOptions(**options)


def test_the_folder_is_one_threads_at_a_time(folder: Path) -> None:
    cache_of(folder)
    with entries.locked(folder):
        descriptor = os.open(folder / ".lock", os.O_RDWR)
        try:
            with pytest.raises(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(descriptor)
