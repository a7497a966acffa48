"""Other processes, for tests: each runs a piece of code that has `name` and talks through lines."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from volstream.errors import SegmentError
from volstream.store.segment import Segment

SHM = Path("/dev/shm")

#: Paths of the segments that the running test made in this process.
MADE: list[Path] = []

_PROLOGUE = """
import sys, os, time, signal
import numpy as np
from volstream.store.segment import Segment
from volstream.store.volume import Volume
name = sys.argv[1]
def say(*words): print(*words, flush=True)
def hear(): return sys.stdin.readline()
"""


class Child:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def hear(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"the child ended with {self.process.wait()}")
        return line.strip()

    def say(self, line: str = "") -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def end(self) -> int:
        """Let it end, and give its exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(30)


def script(*parts: str) -> str:
    """Pieces of code, each indented as it likes."""
    return "\n".join(textwrap.dedent(part) for part in parts)


@contextmanager
def child(code: str, name: str = "", *, new_group: bool = False) -> Iterator[Child]:
    """Run `code` in a new Python; killed at the end if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-c", _PROLOGUE + textwrap.dedent(code), name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=new_group,
    )
    try:
        yield Child(process)
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with suppress(BrokenPipeError):
                pipe.close()


def names() -> set[str]:
    """Of the segments that this test made in this process and that are still there."""
    return {f"/{path.name}" for path in MADE if path.exists()}


def exists(name: str) -> bool:
    return (SHM / name[1:]).exists()


def orphans() -> set[str]:
    """Segments on this machine whose owner is dead."""
    found = set()
    for path in SHM.glob("volstream-*"):
        with suppress(SegmentError), closing(Segment.attach("/" + path.name)) as segment:
            if not segment.owner_alive:
                found.add(segment.name)
    return found
