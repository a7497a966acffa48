"""Who owns a segment, and whether that process still lives.

The owner holds `flock(LOCK_EX)` on a descriptor of its own; the kernel drops the lock however the process ends,
so a lock that can be had means a dead owner, and a reused process id cannot deceive. The descriptor that is
mapped is another one: a mapping keeps its open file, and the lock on it, alive, in a forked child as well.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import stat
import struct
import sys
import tempfile
import weakref
from pathlib import Path

from ..errors import ResourceError, SegmentError, UsageError

PREFIX = "volstream-"
_NAME = re.compile(r"/?(volstream-[0-9a-f]{32})")
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW

#: Every lease of this process that holds a lock; a forked child gives them up.
_holding: weakref.WeakSet[Lease] = weakref.WeakSet()


def directory() -> Path:
    """Where named segments lie. On Linux shm_open(3) puts "/name" into /dev/shm, so opening it there is the same."""
    if sys.platform == "linux":
        return Path("/dev/shm")
    private = Path(tempfile.gettempdir()) / f"volstream-{os.getuid()}"
    private.mkdir(mode=0o700, exist_ok=True)
    return private


def new_path() -> Path:
    """A name nobody can guess: 128 random bits."""
    return directory() / f"{PREFIX}{secrets.token_hex(16)}"


def path_of(name: str | Path) -> Path:
    """The file behind a segment's name ("/volstream-..."), or behind the path of a persistent one."""
    match = None if isinstance(name, Path) else _NAME.fullmatch(name)
    if match:
        return directory() / match[1]
    if isinstance(name, str) and "/" not in name[1:]:
        raise SegmentError(f"{name!r} is not the name of a segment: /{PREFIX} and 32 hexadecimal digits")
    return Path(name)


class Lease:
    """An open segment: the owner's lock on it, or an attacher's means to test that lock."""

    def __init__(self, path: Path, descriptor: int, *, owner: bool, persistent: bool) -> None:
        self.path = path
        self.descriptor = descriptor
        self.owner = owner
        self.persistent = persistent
        #: We have said that we use the file.
        self.used = False
        if owner:
            _holding.add(self)

    @classmethod
    def create(cls, path: Path | None) -> Lease:
        """Make a new, empty, locked segment: a named one, or a file at `path`."""
        while True:
            target = path.absolute() if path else new_path()
            try:
                descriptor = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600)
            except FileExistsError:
                raise UsageError(f"{target} exists") from None
            except OSError as error:
                raise ResourceError(f"cannot create a segment in {target.parent}: {error.strerror}") from None
            # A reaper may have met the file before it was locked, taken it for an orphan and removed it: try anew.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:
                return cls(target, descriptor, owner=True, persistent=path is not None)
            os.close(descriptor)

    @classmethod
    def attach(cls, path: Path) -> Lease:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | _FLAGS)
        except OSError as error:
            raise SegmentError(f"there is no segment {path.name}: {error.strerror}") from None
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise SegmentError(f"{path.name} is not a segment")
            if status.st_uid != os.geteuid():
                raise SegmentError(f"segment {path.name} belongs to another user ({status.st_uid})")
        except BaseException:
            os.close(descriptor)
            raise
        return cls(path, descriptor, owner=False, persistent=True)

    def reopen(self, *, writable: bool) -> int:
        """Another descriptor of the same object, for mapping."""
        how = os.O_RDWR if writable else os.O_RDONLY
        with contextlib.suppress(OSError):
            descriptor = os.open(self.path, how | _FLAGS)
            if os.path.samestat(os.fstat(descriptor), os.fstat(self.descriptor)):
                return descriptor
            os.close(descriptor)
        try:  # the name is gone, or somebody else's by now: what was opened once is meant
            return os.open(f"/proc/self/fd/{self.descriptor}", how | os.O_CLOEXEC)
        except OSError:
            raise SegmentError(f"segment {self.path.name} was removed while it was opened") from None

    def use(self) -> bool:
        """Say that this file is in use, until we let go; False if it is just being removed."""
        self.used = _LOCK_BYTE is None or _lock_byte(self.descriptor, fcntl.F_RDLCK)
        _holding.add(self)
        return self.used

    def claim(self) -> bool:
        """Become the owner of a file that we use and that has none; False if it has one."""
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        self.owner = True
        return True

    def free(self) -> None:
        """Own the file no longer, so that others can claim it."""
        self.owner = False
        fcntl.flock(self.descriptor, fcntl.LOCK_UN)

    @property
    def alive(self) -> bool:
        """False once the owner has closed the segment or died."""
        if self.owner or self.descriptor < 0:
            return self.owner
        try:
            return is_locked(self.descriptor)
        except OSError:  # closed by another thread meanwhile
            return False

    def release(self, *, failed: bool = False) -> None:
        """Let go; the owner's name goes at once, the memory with the last mapping."""
        if self.descriptor < 0:
            return
        if self.owner and (failed or not self.persistent):
            with contextlib.suppress(FileNotFoundError):
                self.path.unlink()
        descriptor, self.descriptor, self.owner = self.descriptor, -1, False
        os.close(descriptor)


#: Locks of an open file (not of a process, which would lose them with any descriptor that it closes), on its first
#: byte. They and flock do not see each other.
_LOCK_BYTE = getattr(fcntl, "F_OFD_SETLK", None)
CAN_TELL_USE = _LOCK_BYTE is not None


def is_used(descriptor: int) -> bool:
    """Does anybody use this file? If not, nobody else can until the descriptor, open for writing, is closed."""
    return _LOCK_BYTE is None or not _lock_byte(descriptor, fcntl.F_WRLCK)


def _lock_byte(descriptor: int, kind: int) -> bool:
    assert _LOCK_BYTE is not None
    try:
        fcntl.fcntl(descriptor, _LOCK_BYTE, struct.pack("hhqqi4x", kind, os.SEEK_SET, 0, 1, 0))
    except (BlockingIOError, PermissionError):  # EAGAIN or EACCES, fcntl(2)
        return False
    return True


def is_locked(descriptor: int, *, keep: bool = False) -> bool:
    """Does an owner hold its lock? If not, `keep` keeps ours until the descriptor is closed.

    We ask for a shared lock, so that those who ask do not see each other.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    if not keep:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False


def _become_attachers() -> None:
    """In a forked child: it owns nothing, and must neither keep the parent's locks alive nor let go of them."""
    for lease in list(_holding):
        if lease.descriptor < 0:
            continue
        inherited, lease.owner = lease.descriptor, False
        try:
            lease.descriptor = lease.reopen(writable=False)
            if lease.used:
                lease.use()
        except (OSError, SegmentError):
            lease.descriptor = -1
        os.close(inherited)


os.register_at_fork(after_in_child=_become_attachers)
