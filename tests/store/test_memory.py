"""What may be taken is asked before it is taken."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from volstream.errors import ResourceError
from volstream.store import lease, memory
from volstream.store.segment import Segment
from volstream.store.states import FULL

from .processes import child, orphans

SHM = Path("/dev/shm")


@pytest.fixture
def proc(tmp_path, monkeypatch):
    """A /proc of our own: `proc(meminfo=..., cgroup=..., mountinfo=...)`."""
    lines = memory._lines

    def set_up(**files: str) -> None:
        places = {"/proc/meminfo": "meminfo", "/proc/self/cgroup": "cgroup", "/proc/self/mountinfo": "mountinfo"}

        def read(path: Path) -> list[str]:
            if str(path) in places:
                return files.get(places[str(path)], "").splitlines()
            return lines(path)

        monkeypatch.setattr(memory, "_lines", read)

    return set_up


def group(folder: Path, **files: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(f"{content}\n")


def test_the_machines_memory_bounds_shared_memory(proc):
    proc(meminfo="MemTotal: 9 kB\nMemAvailable:       3 kB\n")
    assert memory.available(SHM) == (3072, "this machine's memory")
    with pytest.raises(ResourceError, match=r"needs 100\.0 GiB, but this machine's memory has only 0\.0 MiB left"):
        memory.check_room(100 << 30, SHM)


def test_but_not_files(proc, tmp_path):
    proc(meminfo="MemAvailable: 0 kB\n")
    free, where = memory.available(tmp_path)
    assert free > 0
    assert where == str(tmp_path)


def test_a_cgroup_of_version_2_and_its_parents(proc, tmp_path):
    mount = tmp_path / "cgroup"
    group(mount / "a" / "b", memory__max=1000, memory__current=900, memory__stat="anon 5\ninactive_file 50")
    group(mount / "a", memory__max=2000, memory__current=1900, memory__stat="inactive_file 20")
    proc(cgroup="0::/a/b", mountinfo=f"30 20 0:26 / {mount} rw - cgroup2 cgroup2 rw")
    assert memory.available(SHM) == (120, "this process's memory cgroup")
    group(mount / "a" / "b", memory__max="max")
    group(mount / "a", memory__max=1800)
    assert memory.available(SHM) == (0, "this process's memory cgroup")


def test_a_cgroup_of_version_1_seen_from_inside_a_container(proc, tmp_path):
    """There the path is the host's, and the mount shows the container's group as its root."""
    mount = tmp_path / "memory"
    group(mount, memory__limit_in_bytes=5000, memory__usage_in_bytes=1000, memory__stat="total_inactive_file 7")
    proc(
        cgroup="3:cpu:/docker/abc\n4:memory:/docker/abc\n",
        mountinfo=f"31 20 0:27 /docker/abc {mount} rw shared:1 - cgroup cgroup rw,memory",
    )
    assert memory.available(SHM) == (4007, "this process's memory cgroup")


def test_a_cgroup_without_a_limit_is_none(proc, tmp_path):
    mount = tmp_path / "memory"
    group(mount, memory__limit_in_bytes=9223372036854771712, memory__usage_in_bytes=1000, memory__stat="")
    proc(cgroup="4:memory:/", mountinfo=f"31 20 0:27 / {mount} rw - cgroup cgroup rw,memory")
    assert memory.available(SHM)[1] == str(SHM)


def test_no_shared_memory_at_all(monkeypatch, tmp_path):
    monkeypatch.setattr("volstream.store.segment.directory", lambda: tmp_path / "absent")
    monkeypatch.setattr("volstream.store.reaper.directory", lambda: tmp_path / "absent")
    with pytest.raises(ResourceError, match="there is no"):
        Segment.create((2, 2, 2), "int8", {}, slices=2)


def test_a_limit_on_file_sizes_is_an_error_and_leaves_nothing():
    code = """
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    before = len(os.listdir("/proc/self/fd"))
    try: Segment.create((8, 256, 256), "int16", {}, slices=8)
    except Exception as error: say(type(error).__name__, len(os.listdir("/proc/self/fd")) - before)
    """
    with child(code) as other:
        assert other.hear() == "ResourceError 0"
        assert other.end() == 0
    assert orphans() == set()


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A tmpfs of 1 MiB in place of /dev/shm."""
    folder = tmp_path / "shm"
    folder.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], stderr=subprocess.DEVNULL, check=False
        ).returncode
    )
    if not mounted:
        pytest.skip("no right to mount a small tmpfs here")
    for module in (lease, sys.modules["volstream.store.segment"], sys.modules["volstream.store.reaper"]):
        monkeypatch.setattr(module, "directory", lambda: folder)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_shared_memory_is_an_error_and_leaves_nothing(small, monkeypatch):
    with Segment.create((2, 256, 256), "int16", {}, slices=2), pytest.raises(ResourceError, match="MiB left"):
        Segment.create((8, 256, 256), "int16", {}, slices=8)
    assert list(small.iterdir()) == []
    # Room when it was asked for, none when it is taken: the slice that finds out is refused, where a write through the
    # mapping would end the process.
    monkeypatch.setattr(memory, "check_room", lambda size, folder: None)
    with Segment.create((16, 256, 256), "int16", {}, slices=16) as segment, closing(segment.writer()) as writer:
        results = [writer.put(index, bytes(2 * 256 * 256), FULL) for index in range(7)]
        with pytest.raises(ResourceError, match="No space left on device"):
            writer.put(7, bytes(2 * 256 * 256), FULL)
        assert results == [True] * 7
        assert segment.states.tolist() == [8] * 7 + [0] * 9
    assert list(small.iterdir()) == []
    assert os.statvfs(small).f_bavail * os.statvfs(small).f_frsize == 1 << 20
