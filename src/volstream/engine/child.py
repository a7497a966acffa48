"""The process that decodes for us where a crash, or a plugin that holds the GIL, must not hurt the load.

A child is started as a plain interpreter on a socket pair (no fork, no `__main__` import, no pickle). Tasks and
answers are marshalled tuples of plain values; voxels never cross: the child attaches to the segment by name.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import signal
import socket
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from .. import errors
from ..errors import DecoderCrashedError, ResourceError, VolstreamError
from .decode import Task, run_task

#: A frame that takes longer than this is given up and its process killed, seconds.
TIME_LIMIT = 60.0

_PACKAGE_PARENT = str(Path(__file__).resolve().parents[2])
_START = (
    "import sys; sys.path[:0] = [sys.argv[2]] if sys.argv[2] not in sys.path else []; "
    "from volstream.engine.child import serve; serve(int(sys.argv[1]))"
)


class Child:
    """The parent's end of one decoding process."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START, str(theirs.fileno()), _PACKAGE_PARENT],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        except OSError as error:
            ours.close()
            raise ResourceError(f"a decoding process could not be started: {error}") from error
        finally:
            theirs.close()
        self._connection = Connection(ours.detach())

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._process.pid

    def decode(self, segment: str, index: int, task: Task) -> tuple[float, float]:
        """Run one task for a slice. Raises what the child raised; DecoderCrashedError if it died or took too long."""
        inline = not isinstance(task.data, tuple)
        message = (segment, index, task.spec, None if inline else task.data, task.transfer_syntax, task.dtype)
        try:
            self._connection.send_bytes(marshal.dumps(message))
            if inline:
                self._connection.send_bytes(task.data)
            if not self._connection.poll(TIME_LIMIT):
                self.kill()
                raise DecoderCrashedError(f"decoding took more than {TIME_LIMIT:.0f} s")
            answer = marshal.loads(self._connection.recv_bytes())
        except (EOFError, OSError) as error:
            self.kill()
            raise DecoderCrashedError(f"the decoding process died ({_cause(self._process.returncode)})") from error
        if answer[0] == "ok":
            return answer[1], answer[2]
        raise getattr(errors, answer[1])(answer[2])

    def forget(self) -> None:
        """Have it unmap its segment: the memory of a volume that is closed must not wait for the next load."""
        with contextlib.suppress(OSError):
            self._connection.send_bytes(marshal.dumps(None))

    def kill(self) -> None:
        """End the process, whatever it is doing, and wait for it."""
        self._connection.close()
        self._process.kill()
        self._process.wait()


def _cause(returncode: int | None) -> str:
    if returncode is None or returncode >= 0:
        return f"exit status {returncode}"
    return signal.Signals(-returncode).name


def serve(descriptor: int) -> None:
    """The child's main loop: ends when the parent closes its end, in whatever way."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    connection = Connection(descriptor)
    segments = _Segments()
    with contextlib.suppress(EOFError, OSError):
        while True:
            message = marshal.loads(connection.recv_bytes())
            if message is None:
                segments.forget()
                continue
            name, index, spec, data, *rest = message
            if data is None:
                data = connection.recv_bytes()
            connection.send_bytes(marshal.dumps(_answer(segments, name, index, Task(spec, data, *rest))))
    os._exit(0)  # skip interpreter shutdown: nothing here is ours to tidy


def _answer(segments: _Segments, name: str, index: int, task: Task) -> tuple[Any, ...]:
    try:
        segments.attach(name)
        voxels = bytearray(segments.slice_bytes)
        extent = run_task(task, voxels)
        segments.write(index, voxels)
        return ("ok", *extent)
    except VolstreamError as error:
        return ("error", type(error).__name__, error.message)
    except MemoryError:
        return ("error", "ResourceError", "out of memory while decoding")
    except Exception as error:
        return ("error", "DamagedError", f"{type(error).__name__}: {error}")


class _Segments:
    """The segment this child writes to; loads follow each other, so only the latest is kept attached."""

    def __init__(self) -> None:
        self._segment: Any = None
        self._writer: Any = None

    def attach(self, name: str) -> None:
        if self._segment is None or self._segment.name != name:
            from ..store.segment import Segment

            self.forget()
            self._segment = Segment.attach(name, writable=True)
            self._writer = self._segment.writer()

    @property
    def slice_bytes(self) -> int:
        return int(self._segment.slice_bytes)

    def write(self, index: int, voxels: bytearray) -> None:
        self._writer.write(index, voxels)

    def forget(self) -> None:
        if self._writer is not None:
            self._writer.close()
        if self._segment is not None:
            self._segment.close()
        self._segment = self._writer = None
