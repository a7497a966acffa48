"""WADO-RS answers that cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

import faults as bad
from badserver import BadServer, Reply, Request
from fetching import fetch, make_files, run
from volstream.errors import HttpStatusError, ProtocolError, SourceError, TruncatedError
from volstream.fetch.answer import Limits, StreamedAnswer
from volstream.fetch.retry import Clock, TransientError
from volstream.syntaxes import JPEG_LS


def failing(results: list, kind: type[Exception]) -> list:
    assert {type(result) for result in results} == {kind}
    return results


def test_html_page_is_no_frame(files: list[bytes]) -> None:
    results, server = fetch(files, lambda s: s.misbehave(bad.page))
    error = failing(results, ProtocolError)[0]
    assert "text/html" in str(error)
    assert "Please log in" in str(error)
    assert error.address == server.frame_url(error.uid)
    assert server.count("/frames/") == len(files)  # once each


def test_html_page_is_no_metadata(files: list[bytes]) -> None:
    with pytest.raises(ProtocolError, match="Please log in"):
        fetch(files, lambda s: s.misbehave(bad.page, path="/metadata"))


@pytest.mark.parametrize("body", [b"{", b"1", b"[1]", b"[" * 100000, b"\xff\xfe"])
def test_metadata_that_are_none(files: list[bytes], body: bytes) -> None:
    with pytest.raises(ProtocolError):
        fetch(files, lambda s: s.misbehave(bad.changed(body=body), path="/metadata"))


def test_metadata_of_one_instance_refused(files: list[bytes]) -> None:
    def misbehave(server: BadServer) -> None:
        server.misbehave(bad.status(404), path="series/[^/]*/metadata")
        server.misbehave(bad.status(403), path=f"{list(server.instances)[1]}/metadata")

    with pytest.raises(HttpStatusError) as caught:
        fetch(files, misbehave)
    assert caught.value.status == 403


def test_empty_series(files: list[bytes]) -> None:
    with pytest.raises(SourceError, match="empty"):
        fetch(files, lambda s: s.misbehave(bad.changed(body=b"[]"), path="/metadata"))


def test_refusal_names_address_status_and_text(files: list[bytes]) -> None:
    text = "no\x1b[31m\r\nsuch frame " + "x" * 500
    results, server = fetch(files, lambda s: s.misbehave(bad.status(404, text), times=1))
    error = next(result for result in results if isinstance(result, HttpStatusError))
    assert error.status == 404
    assert error.address == server.frame_url(error.uid)
    assert "404" in str(error)
    assert "\\x1b[31m such frame" in error.message
    assert len(error.message) < 260
    assert sum(isinstance(result, HttpStatusError) for result in results) == 1


def test_raw_frame_too_short(files: list[bytes]) -> None:
    results, server = fetch(files, lambda s: s.misbehave(bad.bodies(lambda body: body[:-2])), attempts=2)
    failing(results, TruncatedError)
    assert server.count("/frames/") == 2 * len(files)


def test_frame_larger_than_its_header_promises(files: list[bytes]) -> None:
    results, _ = fetch(files, lambda s: s.misbehave(bad.bodies(lambda body: body + bytes(2))))
    failing(results, ProtocolError)


def test_endless_body(files: list[bytes]) -> None:
    results, _ = fetch(files, lambda s: s.misbehave(bad.changed(endless=True, framing="close")))
    assert all(isinstance(result, ProtocolError) for result in results)


def test_gzip_bomb(files: list[bytes]) -> None:
    bomb = bad.both(bad.bodies(lambda body: bytes(64 << 20)), bad.gzipped)
    results, _ = fetch(files[:1], lambda s: s.misbehave(bomb))
    failing(results, ProtocolError)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (bad.part_headers("Content-Transfer-Encoding: base64"), ProtocolError),
        (bad.part_headers(content_type="multipart/mixed"), ProtocolError),
        (bad.part_length(1), ProtocolError),
        (bad.part_length(-1), ProtocolError),
        (bad.changed(boundary_field="boundary=another"), ProtocolError),
        (bad.changed(boundary_field="boundary=" + "x" * 71), ProtocolError),
        (bad.edit_parts(lambda parts: parts * 2), ProtocolError),
        (bad.edit_parts(lambda parts: []), TruncatedError),
        (bad.bodies(lambda body: b""), TruncatedError),
        (bad.changed(closed=False), TruncatedError),
        (bad.changed(status=204, parts=None), TruncatedError),
        (bad.changed(parts=None), TruncatedError),
    ],
)
def test_broken_answer(fault: bad.Fault, kind: type[Exception], files: list[bytes]) -> None:
    results, server = fetch(files, lambda s: s.misbehave(fault), attempts=2)
    failing(results, kind)
    assert server.count("/frames/") == len(files) * (2 if kind is TruncatedError else 1)


def test_body_that_ends_with_the_connection_needs_its_size(tmp_path: Path) -> None:
    files = make_files(tmp_path, syntax=JPEG_LS)
    fault = bad.both(bad.single(), bad.changed(framing="close"))
    failing(fetch(files, lambda s: s.misbehave(fault), attempts=1)[0], TruncatedError)


def test_another_instance_than_was_asked_for(files: list[bytes]) -> None:
    def swap(request: Request, reply: Reply) -> None:
        assert reply.parts
        reply.parts[0].body = files[0]

    def misbehave(server: BadServer) -> None:
        server.misbehave(bad.status(406))
        server.misbehave(swap, path="/instances/[0-9.]+$")

    results, _ = fetch(files, misbehave)
    assert [type(result).__name__ for result in results] == ["Payload", "DamagedError", "DamagedError"]


def test_body_that_only_drips() -> None:
    """Ten bytes each ten seconds, from a server that never ends."""
    time = 0.0

    class Response:
        status, reason, content_length = 200, "OK", None

        def __init__(self) -> None:
            self.headers: dict[str, str] = {}

        @property
        def content(self) -> Response:
            return self

        async def readany(self) -> bytes:
            nonlocal time
            time += 10
            return bytes(10)

    async def main() -> None:
        answer = StreamedAnswer(cast(Any, Response()), Limits(1 << 20), Clock(now=lambda: time))
        with pytest.raises(TransientError, match="only 1 bytes a second"):
            await answer.body()
        assert time == 40

    run(main)
