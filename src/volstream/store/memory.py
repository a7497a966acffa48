"""How much memory a segment may take, asked before it takes any.

A full tmpfs answers ENOSPC, but a memory cgroup's limit, or the machine's end, answers with SIGKILL:
so the headroom is looked up first.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from ..errors import ResourceError

_UNLIMITED = 1 << 62


def check_room(size: int, folder: Path) -> None:
    """ResourceError if a segment of `size` bytes in `folder` would not fit."""
    if not folder.is_dir():
        raise ResourceError(f"there is no {folder} to put the volume's memory into")
    free, where = available(folder)
    if size > free:
        raise ResourceError(f"the volume needs {_text(size)}, but {where} has only {_text(free)} left")


def reserve(descriptor: int, size: int, folder: Path) -> None:
    """Give the file `size` bytes of real memory or disk; ResourceError, and nothing taken, if there is no room."""
    try:
        # ftruncate alone would promise pages that are not there: SIGBUS at the first write to a full /dev/shm.
        if sys.platform == "darwin":
            os.ftruncate(descriptor, size)
        else:
            os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EFBIG, errno.ENOMEM, errno.EDQUOT):
            raise
        free, _ = available(folder)
        raise ResourceError(
            f"the volume needs {_text(size)}, but {folder} has only {_text(free)} left: {error.strerror}"
        ) from None


def available(folder: Path) -> tuple[int, str]:
    """Bytes that can still be taken for a file in `folder`, and what sets this limit."""
    status = os.statvfs(folder)
    limits = [(status.f_bavail * status.f_frsize, str(folder))]
    if _in_memory(folder):
        limits += ((free, "this machine's memory") for free in _machine())
        limits += ((free, "this process's memory cgroup") for free in _cgroups())
    return min(limits)


def _in_memory(folder: Path) -> bool:
    return folder == Path("/dev/shm")


def _machine() -> Iterator[int]:
    for line in _lines(Path("/proc/meminfo")):
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) * 1024


def capacity(folder: Path) -> int:
    """Bytes that the file system of `folder` holds, free or not."""
    status = os.statvfs(folder)
    return status.f_blocks * status.f_frsize


def installed() -> int:
    """Bytes of memory that this process may ever use: the machine's, or its cgroup's."""
    limits = [int(line.split()[1]) * 1024 for line in _lines(Path("/proc/meminfo")) if line.startswith("MemTotal:")]
    for group, version in _groups():
        limit = "".join(_lines(group / _FILES[version][0]))
        limits += [int(limit)] if limit.isdigit() else []
    return min(limits, default=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def _cgroups() -> Iterator[int]:
    """Headroom of this process's memory cgroups."""
    for group, version in _groups():
        yield from _headroom(group, *_FILES[version])


def _groups() -> Iterator[tuple[Path, str]]:
    """This process's memory cgroup and each of its parents, and of which version they are."""
    mounts: dict[str, tuple[str, Path]] = {}
    for line in _lines(Path("/proc/self/mountinfo")):
        before, _, after = line.partition(" - ")
        root, point = before.split()[3:5]
        kind, _, options = after.split()[:3]
        if kind == "cgroup2" or (kind == "cgroup" and "memory" in options.split(",")):
            mounts[kind] = (root, Path(point))
    for line in _lines(Path("/proc/self/cgroup")):
        hierarchy, controllers, path = line.split(":", 2)
        kind = "cgroup2" if hierarchy == "0" else "cgroup" if "memory" in controllers.split(",") else ""
        if kind in mounts:
            root, mount = mounts[kind]
            # In a container the path may be the host's, of which only what is below `root` is mounted.
            inner = os.path.relpath(path, root) if path.startswith(root) else "."
            folder = mount / inner
            for group in (folder, *folder.parents):
                yield group, kind
                if group == mount:
                    break


#: Per version: limit, use, and the line of memory.stat with file pages that the kernel gives back when it must.
_FILES = {
    "cgroup2": ("memory.max", "memory.current", "inactive_file"),
    "cgroup": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def _headroom(group: Path, limit_file: str, usage_file: str, reclaimable: str) -> Iterator[int]:
    limit = "".join(_lines(group / limit_file))
    usage = "".join(_lines(group / usage_file))
    if not limit.isdigit() or not usage.isdigit() or int(limit) >= _UNLIMITED:
        return
    spare = sum(int(line.split()[1]) for line in _lines(group / "memory.stat") if line.split()[0] == reclaimable)
    yield max(0, int(limit) - int(usage) + spare)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def _text(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"
