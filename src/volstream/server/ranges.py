"""A piece of a body (RFC 9110 sections 13 and 14): what is asked for, if the body is still the one that was meant."""

from __future__ import annotations

import re

from aiohttp import web

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII | re.IGNORECASE)


def reply(request: web.Request, etag: str, content_type: str, body: bytes) -> web.Response:
    """The body, or the range of it that is asked for. `etag` is strong: it names these very bytes."""
    headers = {"Content-Type": content_type, "ETag": etag, "Accept-Ranges": "bytes"}
    part = _requested(request, etag, len(body))
    if part is None:
        return web.Response(body=body, headers=headers)
    if part.start >= part.stop:
        raise web.HTTPRequestRangeNotSatisfiable(headers={"Content-Range": f"bytes */{len(body)}"})
    where = f"bytes {part.start}-{part.stop - 1}/{len(body)}"
    return web.Response(status=206, body=body[part], headers=headers | {"Content-Range": where})


def _requested(request: web.Request, etag: str, size: int) -> slice | None:
    """What of the body is asked for; None is all of it.

    So is a Range that is malformed, of several ranges or of another unit, and any of a body that was another.
    """
    match = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    if match is None or request.method != "GET" or request.headers.get("If-Range", etag) != etag:
        return None
    first, last = (int(text) if text else None for text in match.groups())
    if first is not None:
        backwards = last is not None and last < first
        return None if backwards else slice(first, size if last is None else min(last + 1, size))
    return None if last is None else slice(max(0, size - last), size)
