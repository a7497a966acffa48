"""Every test leaves the machine as it found it: no thread, process, shared segment or event-loop
error stays behind."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

SHM = Path("/dev/shm")
#: Where a segment's header names its owner, docs/segment.md.
OWNER_PID_OFFSET = 136


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real series; the test is skipped where there is none."""
    folder = os.environ.get("VOLSTREAM_TEST_DATA")
    if not folder:
        pytest.skip("VOLSTREAM_TEST_DATA is not set: no real series to test with")
    return Path(folder)


class _LoopErrors(logging.Handler):
    """Collects what asyncio reports as unhandled."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def _segments() -> set[str]:
    """Names of segments whose owner is this process, or is dead; those of others are none of our business."""
    names = set()
    for path in SHM.glob("volstream-*") if SHM.is_dir() else ():
        with contextlib.suppress(FileNotFoundError):
            with path.open("rb") as segment:
                segment.seek(OWNER_PID_OFFSET)
                pid = int.from_bytes(segment.read(4), "little")
            if pid == os.getpid() or not Path(f"/proc/{pid}").exists():
                names.add(path.name)
    return names


def _threads() -> set[threading.Thread]:
    threads = {thread for thread in threading.enumerate() if thread.is_alive()}
    if any(thread.name == "zarr_io" for thread in threads):  # zarr keeps a loop of its own, and its executor's threads
        threads = {thread for thread in threads if not thread.name.startswith(("zarr_io", "asyncio_"))}
    return threads


def _children() -> set[int]:
    """Direct children of this process, by /proc; empty elsewhere than on Linux."""
    children: set[int] = set()
    for task in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended meanwhile
            children |= {int(pid) for pid in task.read_text().split()}
    return children


def _settles(left: Callable[[], Any], seconds: float = 3.0) -> Any:
    """What `left` still returns after a grace period; falsy once it returns nothing."""
    end = time.monotonic() + seconds
    while (rest := left()) and time.monotonic() < end:
        time.sleep(0.01)
    return rest


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    threads, segments, children = _threads(), _segments(), _children()
    handler = _LoopErrors()
    logging.getLogger("asyncio").addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger("asyncio").removeHandler(handler)
    from volstream.engine.children import pool

    pool.close()
    if _segments() - segments:
        gc.collect()  # only then: it takes a while in a process that has imported so much
    assert not handler.messages, f"the event loop reported: {handler.messages}"
    assert not _settles(lambda: _threads() - threads), "threads are left"
    assert not _settles(lambda: _segments() - segments), "shared segments are left"
    assert not _settles(lambda: _children() - children), "processes are left"
