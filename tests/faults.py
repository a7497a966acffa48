"""What DICOMweb servers do wrong, or in their own manner: one function for each quirk and fault, for `BadServer`."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable

from badserver import Fault, Part, Reply, Request


def both(*faults: Fault) -> Fault:
    """One fault after the other."""

    def fault(request: Request, reply: Reply) -> None:
        for each in faults:
            each(request, reply)

    return fault


# ------------------------------------------------------------------------------- refusals


def status(code: int, text: str = "", **headers: str) -> Fault:
    """Answer `code`; `Retry_After="2"` and the like become headers."""

    def fault(request: Request, reply: Reply) -> None:
        reply.status, reply.reason, reply.parts, reply.body = code, "Because", None, text.encode()
        reply.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    return fault


def unless_accept(pattern: str, code: int = 406) -> Fault:
    """Refuse requests whose Accept does not match: servers that want quotes, or none, or no transfer-syntax."""

    def fault(request: Request, reply: Reply) -> None:
        if not re.search(pattern, request.accept):
            status(code, f"cannot serve {request.accept}")(request, reply)

    return fault


def needs(header: str, *values: str) -> Fault:
    """401 unless the header has one of the values."""

    def fault(request: Request, reply: Reply) -> None:
        if request.headers.get(header.lower()) not in values:
            status(401, "who are you?")(request, reply)

    return fault


def page(request: Request, reply: Reply) -> None:
    """A proxy's login page, with a cheerful 200."""
    reply.parts, reply.body, reply.headers = None, b"<html>Please log in</html>", {"Content-Type": "text/html"}


def redirect(target: str, code: int = 302) -> Fault:
    return status(code, "", Location=target)


# ------------------------------------------------------------------------------- lies and habits


def changed(**values: object) -> Fault:
    """Set fields of the reply: boundary, newline, preamble, framing, cut, end, delay, ..."""

    def fault(request: Request, reply: Reply) -> None:
        for name, value in values.items():
            setattr(reply, name, value)

    return fault


def part_headers(*lines: str, content_type: str = "") -> Fault:
    """These headers on every part, and no others."""

    def fault(request: Request, reply: Reply) -> None:
        for part in reply.parts or []:
            part.content_type, part.headers = content_type, list(lines)

    return fault


def part_length(difference: int) -> Fault:
    def fault(request: Request, reply: Reply) -> None:
        for part in reply.parts or []:
            part.headers.append(f"Content-Length: {len(part.body) + difference}")

    return fault


def single(content_type: str = "application/octet-stream") -> Fault:
    """The bare frame instead of a multipart body."""

    def fault(request: Request, reply: Reply) -> None:
        if reply.parts:
            reply.body, reply.headers, reply.parts = reply.parts[0].body, {"Content-Type": content_type}, None

    return fault


def bodies(change: Callable[[bytes], bytes]) -> Fault:
    def fault(request: Request, reply: Reply) -> None:
        for part in reply.parts or []:
            part.body = change(part.body)

    return fault


def edit_parts(change: Callable[[list[Part]], list[Part]]) -> Fault:
    def fault(request: Request, reply: Reply) -> None:
        if reply.parts:
            reply.parts = change(reply.parts)

    return fault


def gzipped(request: Request, reply: Reply) -> None:
    """Compressed, asked for or not."""
    body, content_type = reply.payload(), reply.content_type()
    reply.headers = {**reply.headers, "Content-Encoding": "gzip"}
    if content_type:
        reply.headers["Content-Type"] = content_type
    reply.parts, reply.body = None, gzip.compress(body)


def orthanc_labels(media_type: str, syntax: str) -> Fault:
    """The codec's media type on the part, the transfer syntax inside the quotes of the outer type."""

    def fault(request: Request, reply: Reply) -> None:
        reply.outer = f"{media_type}; transfer-syntax={syntax}"
        part_headers(content_type=f"{media_type};transfer-syntax={syntax}")(request, reply)

    return fault
