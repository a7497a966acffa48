"""The beginning of an HTTP body, put together from range answers (RFC 9110 section 14) so that no byte comes twice."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime

import aiohttp

from volstream.errors import ProtocolError, TruncatedError
from volstream.fetch.answer import Answer
from volstream.fetch.mediatype import MediaType, boundary_of
from volstream.fetch.only_part import MOST_HEADERS, Head, closing, head_of, tail_of

UNKNOWN = MediaType("", {})
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.IGNORECASE)


@dataclass(slots=True)
class PartialBody:
    """What is here of a body: `size` bytes from its beginning, in pieces."""

    chunks: list[bytes] = field(default_factory=list)
    size: int = 0
    #: Bytes of the whole body; None as long as nobody tells.
    total: int | None = None
    kind: MediaType = UNKNOWN
    etag: str = ""
    modified: str = ""
    #: Names this very state of the resource (RFC 9110 section 8.8.1), so that the rest comes of no other.
    validator: str = ""

    def copy(self) -> PartialBody:
        return replace(self, chunks=list(self.chunks))

    def request(self, stop: int | None) -> dict[str, str]:
        """The fields that ask for what follows, up to `stop` or the end of the body."""
        last = "" if stop is None else max(stop, self.size + 1) - 1
        fields = {"Range": f"bytes={self.size}-{last}"}
        if self.size and self.validator:
            fields["If-Range"] = self.validator
        return fields

    async def take(self, answer: Answer) -> None:
        """Add what a 206 brings; if that breaks off, what came before it did.

        Raises ProtocolError if it does not follow what is here, is of something else, or is not what it says it is.
        """
        start, stop, total = _content_range(answer)
        self._identify(answer, total)
        if start > self.size:
            raise ProtocolError(f"bytes from {start} on, {self.size} are here")
        answer.check_size(total or 0)
        if start < self.size:
            self._join()
        try:
            async for chunk in answer.chunks():
                self._add(start, chunk)
                start += len(chunk)
                if start > stop:
                    raise ProtocolError("more bytes than Content-Range says")
                answer.check_size(self.size)
        except (aiohttp.ClientError, OSError):
            if start < stop:
                raise
        if start < stop:
            raise TruncatedError(f"{stop - start} bytes less than Content-Range says")

    def _add(self, start: int, chunk: bytes) -> None:
        """Add what of a chunk is new; `start` is its place in the body."""
        known = min(self.size - start, len(chunk))
        if known and chunk[:known] != self.chunks[0][start : start + known]:
            raise ProtocolError("other bytes than before at the same place")
        if known < len(chunk):
            self.chunks.append(chunk[known:])
            self.size += len(chunk) - known

    def _identify(self, answer: Answer, total: int | None) -> None:
        """Note what the answer is a part of, and that it is the same body each time."""
        field = answer.headers.get
        etag, modified = field("ETag", ""), field("Last-Modified", "")
        if not self.size:
            self.total, self.kind, self.etag, self.modified = total, answer.media_type, etag, modified
            self.validator = etag if etag.startswith('"') else modified if _is_strong(modified, field("Date")) else ""
            return
        # A 206 always tells the ETag, but may leave out what the first answer has told (RFC 9110 section 15.3.7).
        if etag != self.etag:
            raise ProtocolError(f"ETag {etag[:80]!r} after {self.etag[:80]!r}")
        if modified and self.modified and modified != self.modified:
            raise ProtocolError("another Last-Modified than before")
        if "Content-Type" in answer.headers and answer.media_type != self.kind:
            raise ProtocolError("another Content-Type than before")
        if total is not None and self.total is not None and total != self.total:
            raise ProtocolError(f"{total} bytes in all after {self.total}")
        self.total = self.total if total is None else total

    @property
    def is_multipart(self) -> bool:
        return self.kind.name.startswith("multipart/")

    def is_complete(self) -> bool:
        if self.total is not None or not self.is_multipart:
            return self.size == self.total
        # Nobody tells the size, but the body tells its own end.
        end = closing(boundary_of(self.kind))
        return tail_of(self.chunks, len(end) + 2).endswith((end, end + b"\r\n"))

    def head(self) -> Head | None:
        """What stands before the frame; None if it is not all here, or unusual."""
        if not self.is_multipart:
            return Head(0, self.kind, None)
        self._join()
        return head_of(self.chunks[0], boundary_of(self.kind)) if self.chunks else None

    def may_begin_later(self) -> bool:
        """Whether more bytes can bring the head."""
        return self.size < MOST_HEADERS

    def data(self, head: Head) -> tuple[memoryview, int] | None:
        """The beginning of the frame's bytes, and how many they will be; None if that cannot be told."""
        self._join()
        if self.total is None:
            return None
        length = self.total - head.size
        if self.is_multipart:
            length -= len(closing(boundary_of(self.kind)))
            if head.length is not None and head.length > length:
                return None
            # By far most servers end the body with a line end.
            length = length - 2 if head.length is None else head.length
        return memoryview(self.chunks[0])[head.size : head.size + length], length

    def _join(self) -> None:
        if len(self.chunks) > 1:
            self.chunks = [b"".join(self.chunks)]


def _content_range(answer: Answer) -> tuple[int, int, int | None]:
    """Which bytes a 206 holds, the end exclusive, and of how many; RFC 9110 section 14.4."""
    if (coding := answer.headers.get("Content-Encoding", "identity")).strip().lower() not in ("identity", ""):
        raise ProtocolError(f"a range of something in Content-Encoding {coding[:40]!r}")
    match = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
    if match is None:
        raise ProtocolError("206 without a Content-Range that tells what came")
    start, stop, total = int(match[1]), int(match[2]) + 1, None if match[3] == "*" else int(match[3])
    if stop <= start or (total is not None and stop > total):
        raise ProtocolError(f"a Content-Range that cannot be: {match[0]}")
    if answer.size not in (None, stop - start):
        raise ProtocolError(f"{answer.size} bytes as {match[0]}")
    return start, stop, total


def _is_strong(modified: str, date: str | None) -> bool:
    """Whether Last-Modified tells states apart: it is a second or more older than the answer; RFC 9110 8.8.2.2."""
    try:
        age = parsedate_to_datetime(date or "") - parsedate_to_datetime(modified)
    except (ValueError, TypeError, OverflowError):
        return False
    return age.total_seconds() >= 1
