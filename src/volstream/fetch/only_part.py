"""The short way through a multipart body that holds one frame of known size: no look at its bytes, no copy.

A delimiter cannot be missed here: the frame's size is known from the headers, and the closing delimiter must stand
right behind it, at the very end of the body. Whatever is not exactly so is left to the parser.
"""

from __future__ import annotations

from volstream.fetch.mediatype import MediaType, parse_media_type

#: More than this of part headers is not looked through here.
MOST_HEADERS = 4096


def only_part(chunks: list[bytes], boundary: bytes, size: int) -> tuple[MediaType, tuple[memoryview, ...]] | None:
    """The media type and the bytes (in pieces) of the one part, if that has `size` bytes, or one more of padding."""
    first = chunks[0] if chunks else b""
    opening = b"--" + boundary + b"\r\n"
    start = 2 if first.startswith(b"\r\n") else 0
    end = first.find(b"\r\n\r\n", 0, MOST_HEADERS)
    if not boundary or end < 0 or not first.startswith(opening, start):
        return None
    headers = {}
    for line in first[start + len(opening) : end].split(b"\r\n"):
        name, _, value = line.partition(b":")
        headers[name.strip().lower()] = value.strip().decode("latin-1")
    if not headers.keys() <= {b"content-type", b"content-length", b"content-location", b"mime-version"}:
        return None
    begin = end + 4
    closing = b"\r\n--" + boundary + b"--"
    tail = _tail(chunks, len(closing) + 2)
    after = 2 if tail.endswith(closing + b"\r\n") else 0 if tail.endswith(closing) else -1
    length = sum(map(len, chunks)) - begin - len(closing) - after
    if after < 0 or length not in (size, size + 1) or headers.get(b"content-length", str(length)) != str(length):
        return None
    kind = parse_media_type(headers.get(b"content-type", ""))
    if kind.name.startswith("multipart/"):
        return None
    pieces, left = [], length
    for chunk in chunks:
        piece = memoryview(chunk)[begin : begin + left]
        begin = max(0, begin - len(chunk))
        left -= len(piece)
        if piece:
            pieces.append(piece)
    return kind, tuple(pieces)


def _tail(chunks: list[bytes], size: int) -> bytes:
    tail = b""
    for chunk in reversed(chunks):
        tail = chunk[-(size - len(tail)) :] + tail
        if len(tail) >= size:
            break
    return tail
