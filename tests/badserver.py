"""A DICOMweb server that misbehaves on request; what it does wrong is in `faults`.

    async with BadServer(instances) as server:
        server.misbehave(faults.status(503), path="/frames/", times=2)
        ... server.series_url ...
        assert server.count("/frames/") == 3

It speaks HTTP/1.1 from a bare socket, since half of the faults are lies about framing that no HTTP library would
send. `running(...)` serves from a thread, for tests that are not asynchronous.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import TypeAlias
from urllib.parse import parse_qs, urlsplit

import pydicom
from pydicom.encaps import generate_frames


@dataclass
class Request:
    method: str
    target: str
    headers: dict[str, str]
    #: Bytes of the body that were sent, first and last + 1.
    sent: tuple[int, int] = (0, 0)

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def accept(self) -> str:
        return self.headers.get("accept", "*/*")


@dataclass
class Part:
    content_type: str
    body: bytes
    headers: list[str] = field(default_factory=list)


@dataclass
class Reply:
    """What is sent; faults change it before it is, or how it is sent."""

    status: int = 200
    reason: str = "OK"
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    parts: list[Part] | None = None
    outer: str = "application/octet-stream"
    boundary: bytes = b"a-boundary"
    #: The parameter of the outer Content-Type, if it is not simply `boundary=...`.
    boundary_field: str | None = None
    newline: bytes = b"\r\n"
    preamble: bytes = b""
    epilogue: bytes = b""
    padding: bytes = b""
    closed: bool = True
    #: length, chunked, close: how HTTP tells where the body ends.
    framing: str = "length"
    chunk: int = 1 << 16
    #: Announce so many bytes more than there are.
    extra_length: int = 0
    #: Send only so much of the body, then end: fin, rst, or hang until the client has gone.
    cut: int | None = None
    end: str = "fin"
    delay: float = 0.0
    #: Nothing is sent until this is set.
    gate: threading.Event | None = None
    #: Seconds between chunks.
    drip: float = 0.0
    endless: bool = False
    #: Whether a Range is heeded (RFC 9110 section 14), and what names the state of the body.
    ranges: bool = False
    etag: str | None = None
    modified: str | None = None

    def payload(self) -> bytes:
        if self.parts is None:
            return self.body
        n, out = self.newline, [self.preamble]
        for part in self.parts:
            lines = [f"Content-Type: {part.content_type}"] * bool(part.content_type) + part.headers
            out += [b"--", self.boundary, self.padding, n, *(line.encode() + n for line in lines), n, part.body, n]
        out += [b"--", self.boundary, b"--", n] if self.closed else []
        return b"".join([*out, self.epilogue])

    def content_type(self) -> str | None:
        if self.parts is None:
            return None
        field_ = f"boundary={self.boundary.decode()}" if self.boundary_field is None else self.boundary_field
        return f'multipart/related; type="{self.outer}"' + (f"; {field_}" if field_ else "")


Fault: TypeAlias = Callable[[Request, Reply], None]


@dataclass
class Instance:
    uid: str
    series: str
    study: str
    syntax: str
    frames: list[bytes]
    part10: bytes
    metadata: dict

    @classmethod
    def of(cls, part10: bytes) -> Instance:
        dataset = pydicom.dcmread(BytesIO(part10))
        count, syntax = int(dataset.get("NumberOfFrames", 1)), dataset.file_meta.TransferSyntaxUID
        if syntax.is_encapsulated:
            frames = list(generate_frames(dataset.PixelData, number_of_frames=count))
        else:
            size = len(dataset.PixelData) // count
            frames = [dataset.PixelData[i * size : (i + 1) * size] for i in range(count)]
        del dataset.PixelData
        metadata = dataset.to_json_dict()
        metadata["00083002"] = {"vr": "UI", "Value": [str(syntax)]}
        return cls(
            str(dataset.SOPInstanceUID), str(dataset.SeriesInstanceUID), str(dataset.StudyInstanceUID), str(syntax),
            frames, part10, metadata,
        )  # fmt: skip


@dataclass
class _Rule:
    path: str
    fault: Fault
    times: int
    ranged: bool


class BadServer:
    """Serves instances, given as the bytes of their files, below /dicom-web and /wado."""

    def __init__(self, files: Sequence[bytes], context: ssl.SSLContext | None = None) -> None:
        self.instances = {instance.uid: instance for instance in map(Instance.of, files)}
        self.requests: list[Request] = []
        self.connections = 0
        #: Requests being answered now, and the most that were at once.
        self.busy = self.most_busy = 0
        self._rules: list[_Rule] = []
        self._context = context
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> BadServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        port = self._server.sockets[0].getsockname()[1]
        self.origin = f"{'https' if self._context else 'http'}://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await asyncio.sleep(0.001)  # what was accepted a moment ago becomes a task first
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def series_url(self) -> str:
        first = next(iter(self.instances.values()))
        return f"{self.origin}/dicom-web/studies/{first.study}/series/{first.series}"

    def frame_url(self, uid: str, number: int = 1) -> str:
        return f"{self.series_url}/instances/{uid}/frames/{number}"

    def frame_urls(self) -> list[str]:
        """Of all frames, in the order of the files."""
        return [self.frame_url(uid, n + 1) for uid, one in self.instances.items() for n in range(len(one.frames))]

    def object_url(self, uid: str) -> str:
        one = self.instances[uid]
        return f"{self.origin}/wado?requestType=WADO&studyUID={one.study}&seriesUID={one.series}&objectUID={uid}"

    def misbehave(self, fault: Fault, *, path: str = "/frames/", times: int = 1 << 30, ranged: bool = False) -> None:
        """Apply `fault` to the next `times` requests whose target matches `path` (a regular expression).

        With `ranged` only to answers that are a range of the body, after it has been cut out.
        """
        self._rules.append(_Rule(path, fault, times, ranged))

    def count(self, path: str = "/frames/") -> int:
        return sum(bool(re.search(path, request.target)) for request in self.requests)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while (request := await _read_request(reader)) is not None:
                self.requests.append(request)
                reply = self._route(request)
                self._spoil(request, reply, ranged=False)
                if reply.ranges and reply.status == 200:
                    cut_range(request, reply)
                    if "Content-Range" in reply.headers:
                        self._spoil(request, reply, ranged=True)
                if reply.cut is not None:
                    request.sent = request.sent[0], min(request.sent[1], request.sent[0] + reply.cut)
                self.busy += 1
                self.most_busy = max(self.busy, self.most_busy)
                try:
                    if not await _send(reply, writer):
                        break
                finally:
                    self.busy -= 1
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self._tasks.discard(task)

    def _spoil(self, request: Request, reply: Reply, *, ranged: bool) -> None:
        for rule in self._rules:
            if rule.times and rule.ranged == ranged and re.search(rule.path, request.target):
                rule.times -= 1
                rule.fault(request, reply)

    def _route(self, request: Request) -> Reply:
        if request.path == "/wado":
            uid = parse_qs(urlsplit(request.target).query)["objectUID"][0]
            return _plain("application/dicom", self.instances[uid].part10)
        match = re.fullmatch(r"/dicom-web/studies/([^/]+)/series/([^/]+)(?:/(.*))?", request.path)
        if not match:
            return Reply(404, "Not Found", body=b"no such place")
        series = [each for each in self.instances.values() if each.series == match[2]]
        rest = match[3] or ""
        if rest == "":
            return Reply(
                parts=[Part(f"application/dicom; transfer-syntax={each.syntax}", each.part10) for each in series],
                outer="application/dicom",
            )
        if rest == "metadata":
            return _json([each.metadata for each in series])
        if rest == "instances":
            offset = int(parse_qs(urlsplit(request.target).query).get("offset", ["0"])[0])
            return _json([{"00080018": {"vr": "UI", "Value": [each.uid]}} for each in series[offset:]])
        uid, _, what = rest.removeprefix("instances/").partition("/")
        if not rest.startswith("instances/") or uid not in self.instances:
            return Reply(404, "Not Found", body=b"no such instance")
        instance = self.instances[uid]
        if what == "metadata":
            return _json([instance.metadata])
        if what == "":
            part = Part(f"application/dicom; transfer-syntax={instance.syntax}", instance.part10)
            return Reply(parts=[part], outer="application/dicom")
        numbers = [int(number) for number in what.removeprefix("frames/").split(",")]
        if max(numbers) > len(instance.frames):
            return Reply(404, "Not Found", body=b"no such frame")
        label = f"application/octet-stream; transfer-syntax={instance.syntax}"
        url = f"{self.series_url}/instances/{uid}/frames/"
        return Reply(
            parts=[Part(label, instance.frames[n - 1], [f"Content-Location: {url}{n}"]) for n in numbers],
            ranges=True,
        )


# ------------------------------------------------------------------------------- HTTP


def _plain(content_type: str, body: bytes) -> Reply:
    return Reply(headers={"Content-Type": content_type}, body=body)


def _json(value: object) -> Reply:
    return _plain("application/dicom+json", json.dumps(value).encode())


def cut_range(request: Request, reply: Reply) -> None:
    """Heed the Range of the request, if it has one that the body's state allows; RFC 9110 sections 13.1.5 and 14."""
    body = reply.payload()
    etag = f'"{hashlib.sha1(body).hexdigest()}"' if reply.etag is None else reply.etag
    validators = {"ETag": etag, "Last-Modified": reply.modified or ""}
    reply.headers.update({name: value for name, value in validators.items() if value})
    reply.headers.setdefault("Accept-Ranges", "bytes")
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    if not match or request.headers.get("if-range", etag) not in validators.values():
        request.sent = 0, len(body)
        return
    start, stop = int(match[1]), min(int(match[2] or len(body)) + 1, len(body))
    if content_type := reply.content_type():
        reply.headers.setdefault("Content-Type", content_type)
    reply.parts, reply.body = None, body[start:stop]
    reply.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(body)}" if start < stop else f"bytes */{len(body)}"
    reply.status, reply.reason = (206, "Partial Content") if start < stop else (416, "Range Not Satisfiable")
    request.sent = start, max(start, stop)


async def _read_request(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    method, target, _ = first.split(" ")
    return Request(method, target, {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)})


async def _send(reply: Reply, writer: asyncio.StreamWriter) -> bool:
    """Send it; False if the connection cannot be used again."""
    await asyncio.sleep(reply.delay)
    while reply.gate is not None and not reply.gate.is_set():  # noqa: ASYNC110 - another thread sets it
        await asyncio.sleep(0.005)
    body = reply.payload()
    headers = dict(reply.headers)
    if content_type := reply.content_type():
        headers.setdefault("Content-Type", content_type)
    if reply.framing == "length":
        headers.setdefault("Content-Length", str(len(body) + reply.extra_length))
    elif reply.framing == "chunked":
        headers["Transfer-Encoding"] = "chunked"
    else:
        headers["Connection"] = "close"
    lines = [f"HTTP/1.1 {reply.status} {reply.reason}", *(f"{name}: {value}" for name, value in headers.items())]
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
    cut = body if reply.cut is None else body[: reply.cut]
    for at in range(0, len(cut), reply.chunk):
        piece = cut[at : at + reply.chunk]
        writer.write(b"%x\r\n%s\r\n" % (len(piece), piece) if reply.framing == "chunked" else piece)
        await writer.drain()
        await asyncio.sleep(reply.drip)
    while reply.endless:
        writer.write(bytes(1 << 16))
        await writer.drain()
    if reply.cut is None and not reply.extra_length:
        if reply.framing == "chunked":
            writer.write(b"0\r\n\r\n")
        return reply.framing != "close"
    if reply.end == "hang":
        await asyncio.sleep(3600)
    if reply.end == "rst":
        # Linger of zero seconds: close() sends RST.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


@contextlib.contextmanager
def running(server: BadServer) -> Iterator[BadServer]:
    """Serve from a thread of its own."""
    ready, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with server:
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), name="badserver")
    thread.start()
    try:
        assert ready.wait(10)
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
