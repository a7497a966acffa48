"""The exception tree.

One root, `VolstreamError`. Below it, what went wrong decides the class, and *who* was wrong decides the branch:
`UsageError` is the caller's mistake, everything else is the data's, the server's or the machine's.
Every error carries the SOP Instance UID, the slice index and the address it is about, where they are known.
"""

from __future__ import annotations

from typing import Any


class VolstreamError(Exception):
    """Root of all errors raised by this package.

    Attributes: `uid` (SOP Instance UID), `index` (slice, or frame of a stack), `address` (file or URL without
    its query), each None where it does not apply; `others`, further errors of the same load, first come first.
    """

    def __init__(
        self, message: str, *, uid: str | None = None, index: int | None = None, address: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.uid = uid
        self.index = index
        self.address = address
        self.others: tuple[VolstreamError, ...] = ()

    def __str__(self) -> str:
        where = [
            f"{label} {value}"
            for label, value in (("slice", self.index), ("instance", self.uid), ("at", self.address))
            if value is not None
        ]
        return f"{self.message} ({', '.join(where)})" if where else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.__dict__)  # so that errors can be copied, and cross to another process

    def located(
        self, *, uid: str | None = None, index: int | None = None, address: str | None = None
    ) -> VolstreamError:
        """Fill in what is not known yet, and return self: `raise error.located(index=3)`."""
        self.uid = self.uid if self.uid is not None else uid
        self.index = self.index if self.index is not None else index
        self.address = self.address if self.address is not None else address
        return self


def _restore(kind: type[VolstreamError], state: dict[str, Any]) -> VolstreamError:
    error = kind.__new__(kind, state["message"])
    error.__dict__.update(state)
    return error


class UsageError(VolstreamError, ValueError):
    """The call is wrong: unknown option, impossible combination, closed volume."""


class SourceError(VolstreamError):
    """The source cannot be read: it is not there, holds no images, the connection failed."""


class NotDicomError(SourceError):
    """The file is something else than DICOM, as files beside images often are."""


class UnreachableError(SourceError):
    """The server cannot be asked: no connection, or no complete answer in time."""


class HttpStatusError(SourceError):
    """The server refused. `status` is the HTTP status code (PS3.18 section 8.5)."""

    def __init__(
        self, message: str, *, status: int, uid: str | None = None, index: int | None = None, address: str | None = None
    ) -> None:
        super().__init__(message, uid=uid, index=index, address=address)
        self.status = status


class ProtocolError(VolstreamError):
    """The answer breaks the protocol: multipart framing, JSON, redirects, content type."""


class TruncatedError(ProtocolError):
    """Fewer bytes arrived than were announced. Worth a retry."""


class GeometryError(VolstreamError):
    """The images do not form the volume that was asked for."""


class UnsupportedError(VolstreamError):
    """A legal encoding, or a use of one, that nothing installed can decode."""


class DamagedError(VolstreamError):
    """The data contradict themselves or cannot be decoded."""


class ValueRangeError(VolstreamError):
    """A voxel does not fit the volume's dtype; a wider `dtype=` holds it."""


class DecoderCrashedError(DamagedError):
    """A worker process died, twice, while decoding this frame."""


class ResourceError(VolstreamError):
    """Memory, shared memory, files or processes ran out, or a stated limit was reached."""


class SegmentError(VolstreamError):
    """A shared segment is gone, damaged, of another version, or its owner died."""


class CancelledError(VolstreamError):
    """The load was cancelled before what was waited for arrived."""
