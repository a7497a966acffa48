"""multipart/related bodies, written part by part with the length known beforehand (RFC 2046, RFC 2387)."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from aiohttp import web

from volstream.errors import ProtocolError


class Part(NamedTuple):
    """A part to be sent: its headers' values, and how many bytes will follow."""

    content_type: str
    location: str
    size: int


class Envelope:
    """A boundary, and what stands between parts. `boundary` is for bodies that must be the same each time."""

    def __init__(self, media_type: str, parts: Sequence[Part], boundary: str = "") -> None:
        self._boundary = boundary or secrets.token_hex(16)
        self.content_type = f'multipart/related; type="{media_type}"; boundary={self._boundary}'
        self._heads = [self._head(part, first=index == 0) for index, part in enumerate(parts)]
        self._end = f"\r\n--{self._boundary}--\r\n".encode()
        self.length = sum(map(len, self._heads)) + sum(part.size for part in parts) + len(self._end)

    async def write(self, response: web.StreamResponse, body: bytes, more: AsyncIterator[bytes]) -> None:
        """Write all parts, the first of which is `body`. An error leaves the response without its end."""
        for head in self._heads:
            self._check(body)
            await response.write(head + body)
            body = await anext(more, b"")
        await response.write_eof(self._end)

    def around(self, body: bytes) -> bytes:
        """All that is sent for the only part."""
        self._check(body)
        return self._heads[0] + body + self._end

    def _check(self, body: bytes) -> None:
        # It will not happen with 128 bits; if it did, clients would see pixels end too early.
        if self._boundary.encode() in body:
            raise ProtocolError("the boundary occurs in the payload")

    def _head(self, part: Part, *, first: bool) -> bytes:
        lines = (
            f"--{self._boundary}",
            f"Content-Type: {part.content_type}",
            f"Content-Location: {part.location}",
            f"Content-Length: {part.size}",
        )
        return ("" if first else "\r\n").encode() + "\r\n".join(lines).encode() + b"\r\n\r\n"
