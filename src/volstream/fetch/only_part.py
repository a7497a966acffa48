"""The short way through a multipart body that holds one frame: no copy, and mostly no look at its bytes.

A delimiter cannot be missed here: the closing one must stand right behind the part, at the very end of the body, and
either the part's size is known beforehand or no other delimiter is in it. Whatever is not exactly so is left to the
parser.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from volstream.fetch.mediatype import MediaType, parse_media_type

#: More than this of part headers is not looked through here.
MOST_HEADERS = 4096


class Head(NamedTuple):
    """What stands before the bytes of the first part: so many bytes, which say this."""

    size: int
    media_type: MediaType
    #: The part's Content-Length.
    length: int | None


def head_of(first: bytes, boundary: bytes) -> Head | None:
    """The head of a body that begins with `first`; None if that is cut too early, or begins otherwise."""
    opening = b"--" + boundary + b"\r\n"
    start = 2 if first.startswith(b"\r\n") else 0
    end = first.find(b"\r\n\r\n", 0, MOST_HEADERS)
    if not boundary or end < 0 or not first.startswith(opening, start):
        return None
    headers: dict[bytes, str] = {}
    for line in bytes(first[start + len(opening) : end]).split(b"\r\n"):
        name, _, value = line.partition(b":")
        name = name.rstrip().lower()
        if not name or name[:1] in b" \t" or name in headers:
            return None
        headers[name] = value.strip().decode("latin-1")
    length = headers.get(b"content-length")
    if length is not None and not (length.isascii() and length.isdigit() and len(length) < 18):
        return None
    kind = parse_media_type(headers.get(b"content-type", ""))
    if kind.name.startswith("multipart/") or headers.get(b"content-transfer-encoding", "binary") != "binary":
        return None
    return Head(end + 4, kind, None if length is None else int(length))


def closing(boundary: bytes) -> bytes:
    """What stands behind the last part; a line end may follow."""
    return b"\r\n--" + boundary + b"--"


def only_part(
    chunks: Sequence[bytes], boundary: bytes, size: int | None = None
) -> tuple[MediaType, tuple[memoryview, ...]] | None:
    """The media type and the bytes (in pieces) of the one part; `size` is what it has if it is an uncompressed frame.

    That may have one byte more, of padding.
    """
    head = head_of(chunks[0], boundary) if chunks else None
    if head is None:
        return None
    end = closing(boundary)
    tail = tail_of(chunks, len(end) + 2)
    after = 2 if tail.endswith(end + b"\r\n") else 0 if tail.endswith(end) else -1
    length = sum(map(len, chunks)) - head.size - len(end) - after
    if after < 0 or length < 1 or head.length not in (None, length):
        return None
    spans = list(_spans(chunks, head.size, length))
    is_known = head.length is not None or (size is not None and length in (size, size + 1))
    if not is_known and _holds(spans, end[:-2]):
        return None
    return head.media_type, tuple(memoryview(chunk)[start:stop] for chunk, start, stop in spans)


def _spans(chunks: Sequence[bytes], begin: int, length: int) -> Iterator[tuple[bytes, int, int]]:
    """Where in the chunks the `length` bytes from `begin` are."""
    for chunk in chunks:
        stop = min(len(chunk), begin + length)
        if begin < stop:
            yield chunk, begin, stop
            length -= stop - begin
        begin = max(0, begin - len(chunk))


def _holds(spans: Sequence[tuple[bytes, int, int]], text: bytes) -> bool:
    """Whether `text` occurs in what the spans are together."""
    before, most = b"", len(text) - 1
    for chunk, start, stop in spans:
        if chunk.find(text, start, stop) >= 0 or text in before + chunk[start : min(stop, start + most)]:
            return True
        before = (before + chunk[max(start, stop - most) : stop])[-most:]
    return False


def tail_of(chunks: Sequence[bytes], size: int) -> bytes:
    """The last `size` bytes, or fewer if there are not as many."""
    tail = b""
    for chunk in reversed(chunks):
        tail = chunk[len(tail) - size :] + tail
        if len(tail) >= size:
            break
    return tail
