"""What DICOMweb servers do wrong, or in their own manner: one function for each quirk and fault, for `BadServer`."""

from __future__ import annotations

import gzip
import itertools
import re
import threading
import zlib
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


def for_client(name: str, fault: Fault) -> Fault:
    """Only for requests with the header `X-Client: name`."""

    def chosen(request: Request, reply: Reply) -> None:
        if request.headers.get("x-client") == name:
            fault(request, reply)

    return chosen


def held(gate: threading.Event, *, after: int = 0) -> Fault:
    """Hold back all answers but the first few, until the gate is set."""
    count = itertools.count(1)

    def fault(request: Request, reply: Reply) -> None:
        if next(count) > after:
            reply.gate = gate

    return fault


def redirect(target: str, code: int = 302) -> Fault:
    return status(code, "", Location=target)


# ------------------------------------------------------------------------------- validators


def etag(request: Request, reply: Reply) -> None:
    """An ETag that goes with the body, and 304 for who knows it."""
    tag = f'"{zlib.crc32(reply.payload()):08x}"'
    if request.headers.get("if-none-match") == tag:
        status(304)(request, reply)
    reply.headers["ETag"] = tag


def header(name: str, value: str) -> Fault:
    def fault(request: Request, reply: Reply) -> None:
        reply.headers[name] = value

    return fault


def modified(at: str, date: str) -> Fault:
    """A Last-Modified, and 304 for who knows it."""

    def fault(request: Request, reply: Reply) -> None:
        if request.headers.get("if-modified-since") == at:
            status(304)(request, reply)
        reply.headers |= {"Last-Modified": at, "Date": date}

    return fault


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


def no_last_line_end(request: Request, reply: Reply) -> None:
    """The body ends with its closing boundary."""
    body, content_type = reply.payload(), reply.content_type()
    assert content_type
    reply.headers["Content-Type"] = content_type
    reply.parts, reply.body = None, body.removesuffix(reply.newline)


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


# ------------------------------------------------------------------------------- ranges


def other_range(change: Callable[[int, int | None], tuple[int, int | None]]) -> Fault:
    """Serve other bytes than asked for, and say so: `change` gets and gives the first and the last."""

    def fault(request: Request, reply: Reply) -> None:
        if match := re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", "")):
            first, last = change(int(match[1]), int(match[2]) if match[2] else None)
            request.headers["range"] = f"bytes={first}-{'' if last is None else last}"

    return fault


def content_range(change: Callable[[int, int, int], str | None]) -> Fault:
    """Another Content-Range than what is sent: `change` gets first, last and total. For ranged answers."""

    def fault(request: Request, reply: Reply) -> None:
        match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", reply.headers["Content-Range"])
        text = change(int(match[1]), int(match[2]), int(match[3])) if match else None
        del reply.headers["Content-Range"]
        reply.headers |= {"Content-Range": text} if text is not None else {}

    return fault


def byteranges(request: Request, reply: Reply) -> None:
    """One range, in the form that is meant for several; for ranged answers."""
    kind, where = reply.headers.pop("Content-Type"), reply.headers.pop("Content-Range")
    reply.parts, reply.body = [Part(kind, reply.body, [f"Content-Range: {where}"])], b""
    reply.headers["Content-Type"] = "multipart/byteranges; boundary=a-boundary"


def range_of_the_codestream(request: Request, reply: Reply) -> None:
    """The range of the frame instead of the body, in an envelope of its own: what RFC 9110 does not mean."""
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    if match and reply.parts:
        data = reply.parts[0].body
        first, stop = int(match[1]), min(int(match[2] or len(data)) + 1, len(data))
        reply.parts[0].body, reply.status = data[first:stop], 206
        reply.headers["Content-Range"] = f"bytes {first}-{stop - 1}/{len(data)}"


def each_time(name: str, value: Callable[[int], object]) -> Fault:
    """A field of the reply that is another with each answer, counted from 0."""
    count = itertools.count()

    def fault(request: Request, reply: Reply) -> None:
        setattr(reply, name, value(next(count)))

    return fault


def nth(number: int, fault: Fault) -> Fault:
    """Only the answer `number` to each target, counted from 0."""
    counts: dict[str, int] = {}

    def counted(request: Request, reply: Reply) -> None:
        count = counts[request.target] = counts.get(request.target, -1) + 1
        if count == number:
            fault(request, reply)

    return counted
