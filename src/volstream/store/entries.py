"""The files of a cache folder: who may remove which. For callers that hold the folder's lock."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import ResourceError
from .layout import SEAL, SEAL_OFFSET
from .lease import is_used

SUFFIX = ".volstream"
_FLAGS = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Wait until nobody makes or removes files in the folder, and keep others from it."""
    try:
        descriptor = os.open(folder / ".lock", _FLAGS | os.O_CREAT, 0o600)
    except OSError as error:
        raise ResourceError(f"cannot use {folder} as a cache: {error.strerror}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            raise ResourceError(f"cannot use {folder} as a cache, it has no locks: {error.strerror}") from None
        yield
    finally:
        os.close(descriptor)


def by_age(folder: Path) -> list[tuple[Path, int]]:
    """The files and their sizes; the one that was used longest ago first."""
    with os.scandir(folder) as listing:
        ours = [entry for entry in listing if entry.name.endswith(SUFFIX) and entry.is_file(follow_symlinks=False)]
        found = [(Path(entry), entry.stat(follow_symlinks=False)) for entry in ours]
    return [(path, status.st_size) for path, status in sorted(found, key=lambda each: each[1].st_mtime_ns)]


def remove_dead(path: Path) -> bool:
    """Remove a file that is not sealed, and never will be: nobody uses it."""
    return _remove(path, lambda file: not is_sealed(file) and not is_used(file))


def remove_unused(path: Path) -> bool:
    """Remove a file that nobody uses."""
    return _remove(path, lambda file: not is_used(file))


def remove_outdated(path: Path) -> bool:
    """Remove a file that nobody writes: who reads it keeps what is mapped."""
    return _remove(path, lambda file: is_sealed(file) or not is_used(file))


def _remove(path: Path, may: Callable[[int], bool]) -> bool:
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError:  # not there, or another user's
        return False
    try:
        if may(descriptor):
            path.unlink()
            return True
    except OSError:
        pass
    finally:
        os.close(descriptor)
    return False


def is_sealed(descriptor: int) -> bool:
    """Was everything there, and on disk?"""
    seal = os.pread(descriptor, SEAL.size, SEAL_OFFSET)
    return len(seal) == SEAL.size and SEAL.unpack(seal)[0] == 1
