"""Removes the segments of owners that died without closing them. Runs whenever a segment is created."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from .lease import PREFIX, directory, is_locked


def reap() -> int:
    """Unlink this user's segments whose owner is dead; returns how many.

    Processes that have mapped one keep it: the memory goes with the last of them.
    """
    removed = 0
    if not directory().is_dir():
        return removed
    with os.scandir(directory()) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX):
                with contextlib.suppress(OSError):  # another reaper, or the owner, was faster
                    removed += _reap(entry)
    return removed


def _reap(entry: os.DirEntry[str]) -> bool:
    status = entry.stat(follow_symlinks=False)
    if status.st_uid != os.geteuid() or not stat.S_ISREG(status.st_mode):
        return False
    descriptor = os.open(entry.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        # Unlinked under the lock: an owner that is just locking its new segment waits, and then sees it gone.
        if is_locked(descriptor, keep=True):
            return False
        Path(entry.path).unlink()
        return True
    finally:
        os.close(descriptor)
