"""The state that files are in, without reading them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterable

#: Two changes within so many nanoseconds may leave the same time in a file's inode: the kernel's clock for that ticks.
TICK = 20_000_000
ROUNDS = 50


def state_of(files: Callable[[], Iterable[str]]) -> str:
    """A digest of what would not be the same had one of the files been changed, replaced, added or removed.

    Waits while the last change is so fresh that a further one would not show: until files that are just being written
    have come to rest, or for a second.
    """
    for _ in range(ROUNDS):
        digest, latest = _look(files())
        if not 0 <= time.time_ns() - latest < TICK:
            break
        time.sleep(TICK / 1e9)
    return digest


def _look(files: Iterable[str]) -> tuple[str, int]:
    digest, latest = hashlib.sha256(), 0
    for path in files:
        with contextlib.suppress(OSError):  # whoever reads it will tell
            status = os.stat(path)  # noqa: PTH116 - a Path costs more than all the rest
            # Programs can set the time of modification back, but not that of the last change to the inode.
            times = status.st_mtime_ns, status.st_ctime_ns
            digest.update(repr((path, status.st_size, *times, status.st_dev, status.st_ino)).encode())
            latest = max(latest, status.st_ctime_ns)
    return digest.hexdigest(), latest
