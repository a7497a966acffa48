"""Frames piece by piece: the beginning first, the rest later, and what servers make of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import faults as bad
from badserver import BadServer
from fetching import fetch, fetch_in_pieces, frames_of, got, is_gapless, joined, make_files, run, sent, whole
from volstream.errors import HttpStatusError
from volstream.fetch.source import Fetched, Partial, Want, open_source
from volstream.syntaxes import HTJ2K_RPCL


@pytest.fixture
def files(tmp_path: Path) -> list[bytes]:
    """Three slices, each a codestream of some 1400 bytes behind a multipart head of some 300."""
    return make_files(tmp_path / "htj2k", syntax=HTJ2K_RPCL)


def _with_headers(size: int) -> Callable[[BadServer], None]:
    return lambda s: s.misbehave(bad.part_headers("X-Nothing: " + size * "x"))


def test_the_beginning_then_the_rest_and_no_byte_twice(files: list[bytes]) -> None:
    came, server = fetch_in_pieces(files)
    assert whole(came) == frames_of(files)
    for each, (frame, syntax) in zip(came, frames_of(files), strict=True):
        partial = each[0]
        assert isinstance(partial, Partial)
        assert 300 <= len(partial.data) < len(frame)
        assert partial.data == frame[: len(partial.data)]
        assert (partial.transfer_syntax, partial.total) == (syntax, len(frame))
        data = each[1].data  # type: ignore[union-attr]
        assert isinstance(data, tuple)
        assert data[0].obj is partial.data.obj  # not a copy
    for ranges in sent(server).values():
        assert len(ranges) == 2
        assert is_gapless(ranges)


def test_the_rest_is_asked_for_in_the_same_manner_and_state(files: list[bytes]) -> None:
    _, server = fetch_in_pieces(files, headers={"X-Key": "abc"})
    first, second = [request.headers for request in server.requests if "/frames/1" in request.target][:2]
    assert "if-range" not in first
    assert second["if-range"].startswith('"')
    for name in ("accept", "accept-encoding", "x-key"):
        assert first[name] == second[name]
    assert first["accept-encoding"] == "identity"


def test_more_and_more(files: list[bytes]) -> None:
    came, server = fetch_in_pieces(files, sizes=(200, 500, 900, None))
    assert whole(came) == frames_of(files)
    for each, (frame, _) in zip(came, frames_of(files), strict=True):
        pieces = [joined(piece.data) for piece in each]  # type: ignore[union-attr]
        assert all(frame.startswith(piece) for piece in pieces)
        assert all(len(piece) >= size for piece, size in zip(pieces, (200, 500, 900, len(frame)), strict=True))
    assert all(len(ranges) == 4 and is_gapless(ranges) for ranges in sent(server).values())


def test_uncompressed_frames_come_whole(tmp_path: Path) -> None:
    """Their beginning is good for nothing, so the rest follows at once."""
    files = make_files(tmp_path)
    came, server = fetch_in_pieces(files)
    assert whole(came) == frames_of(files)
    assert [len(each) for each in came] == [1] * len(files)
    assert all(is_gapless(ranges) for ranges in sent(server).values())


def test_frames_of_one_instance(tmp_path: Path) -> None:
    files = make_files(tmp_path, count=12, enhanced=True, syntax=HTJ2K_RPCL)
    came, server = fetch_in_pieces(files)
    assert whole(came) == frames_of(files)
    assert len(sent(server)) == 12
    assert all(len(ranges) == 2 and is_gapless(ranges) for ranges in sent(server).values())


def test_less_than_the_codestreams_header_is_no_beginning(files: list[bytes]) -> None:
    came, server = fetch_in_pieces(
        files, lambda s: s.misbehave(bad.part_headers("X-Nothing: " + 420 * "x")), sizes=(1,)
    )
    assert whole(came) == frames_of(files)
    assert all(len(ranges) == 2 and is_gapless(ranges) for ranges in sent(server).values())


def test_the_beginning_is_never_all_of_it(files: list[bytes]) -> None:
    """If only framing is missing, that comes at once."""
    length = len(frames_of(files)[0][0])
    for size in range(length - 200, length, 10):
        (came,), server = fetch_in_pieces(files[:1], sizes=(size, None))
        assert whole([came]) == frames_of(files)[:1]
        assert all(isinstance(piece, Partial) and size <= len(piece.data) < length for piece in came[:-1])
        assert all(map(is_gapless, sent(server).values()))


def test_a_beginning_stays_what_it_is_whatever_follows(files: list[bytes]) -> None:
    """The first attempt to go on brings rubbish, and then nothing; others do not know of it."""
    rubbish = bad.both(bad.changed(framing="chunked"), lambda request, reply: setattr(reply, "body", bytes(5000)))

    async def main() -> None:
        async with BadServer(files[:1]) as server:
            server.misbehave(bad.nth(1, rubbish), ranged=True)
            server.misbehave(bad.nth(2, bad.status(404)))
            source = open_source(server.series_url)
            came: list[Fetched] = []

            async def put(want: Want, fetched: Fetched) -> None:
                came.append(fetched)

            (record,) = await source.records()
            await source.fetch([Want(0, record, size=300)], put)
            held = came.pop()
            assert isinstance(held, Partial)
            for size in (None, 900, None, None):
                await source.fetch([Want(0, record, size=size, held=held)], put)
            await source.close()
            assert isinstance(came[0], HttpStatusError)
            assert isinstance(came[1], Partial)
            assert came[1].data == frames_of(files)[0][0][: len(came[1].data)]
            assert got(came[2:]) == frames_of(files[:1]) * 2

    run(main)


def test_what_stands_before_a_frame_is_learnt(files: list[bytes]) -> None:
    _, server = fetch_in_pieces(files, _with_headers(2000))
    assert [len(ranges) for ranges in sent(server).values()] == [3, 2, 2]


def test_unusual_framing_is_not_looked_through_for_long(files: list[bytes]) -> None:
    long = bad.both(bad.changed(newline=b"\n"), bad.bodies(lambda body: body + bytes(30000)))
    came, server = fetch_in_pieces(files[:1], lambda s: s.misbehave(long))
    assert len(whole(came)[0][0]) > 30000
    assert server.count("/frames/") == 4


def test_a_frame_smaller_than_what_is_wanted_comes_whole(files: list[bytes]) -> None:
    came, server = fetch_in_pieces(files, sizes=(1 << 20,))
    assert whole(came) == frames_of(files)
    assert [len(each) for each in came] == [1] * len(files)
    assert server.count() == len(files)


# ------------------------------------------------------------------------------- habits that cost nothing


def _fewer(first: int, last: int | None) -> tuple[int, int]:
    return first, min(first + 199, 1 << 30 if last is None else last)


OLD, NOW, NEW = (f"Sat, 05 Apr 2025 12:00:0{second} GMT" for second in (0, 1, 1))

HABITS: dict[str, Callable[[BadServer], None]] = {
    "shorter than asked for": lambda s: s.misbehave(bad.other_range(_fewer)),
    "longer than asked for": lambda s: s.misbehave(bad.other_range(lambda a, b: (a, b and b + 100))),
    "everything as 206": lambda s: s.misbehave(bad.other_range(lambda a, b: (a, None))),
    "chunked": lambda s: s.misbehave(bad.changed(framing="chunked", chunk=100)),
    "byte by byte": lambda s: s.misbehave(bad.changed(chunk=1)),
    "single part": lambda s: s.misbehave(bad.single("image/jphc")),
    "single part, octets": lambda s: s.misbehave(bad.single()),
    "part length stated": lambda s: s.misbehave(bad.part_length(0)),
    "no line end behind the closing boundary": lambda s: s.misbehave(bad.no_last_line_end),
    "epilogue": lambda s: s.misbehave(bad.changed(epilogue=b"Bye\r\n")),
    "preamble": lambda s: s.misbehave(bad.changed(preamble=b"Hello\r\n")),
    "bare line feeds": lambda s: s.misbehave(bad.changed(newline=b"\n")),
    "boundary missing": lambda s: s.misbehave(bad.changed(boundary_field="")),
    "boundary quoted": lambda s: s.misbehave(bad.changed(boundary_field='boundary="a-boundary"')),
    "part headers missing": lambda s: s.misbehave(bad.part_headers()),
    "a head of 2000 bytes": _with_headers(2000),
    "a head of 6000 bytes": _with_headers(6000),
    "no validator": lambda s: s.misbehave(bad.changed(etag="")),
    "a weak ETag": lambda s: s.misbehave(bad.changed(etag='W/"1"')),
    "a date": lambda s: s.misbehave(bad.changed(etag="", modified=OLD)),
    "total unknown": lambda s: s.misbehave(bad.content_range(lambda a, b, t: f"bytes {a}-{b}/*"), ranged=True),
    "total unknown at first": lambda s: s.misbehave(
        bad.nth(0, bad.content_range(lambda a, b, t: f"bytes {a}-{b}/*")), ranged=True
    ),
    "no Content-Type with the rest": lambda s: s.misbehave(
        bad.nth(1, lambda request, reply: reply.headers.pop("Content-Type")), ranged=True
    ),
    "unavailable now and then": lambda s: s.misbehave(bad.nth(1, bad.status(503, Retry_After="0"))),
    "cut in transit": lambda s: s.misbehave(bad.nth(1, bad.changed(cut=300, drip=0.05)), ranged=True),
    "the first cut in transit": lambda s: s.misbehave(bad.nth(0, bad.changed(cut=100, drip=0.05)), ranged=True),
    "cut in transit, chunked": lambda s: s.misbehave(
        bad.nth(1, bad.changed(cut=300, drip=0.05, framing="chunked")), ranged=True
    ),
    "cut in transit and nobody tells": lambda s: s.misbehave(
        bad.nth(1, bad.changed(cut=300, drip=0.05, framing="close")), ranged=True
    ),
    "all there, but for the last chunk's end": lambda s: s.misbehave(
        bad.changed(cut=1 << 20, drip=0.05, framing="chunked"), ranged=True
    ),
}  # fmt: skip


@pytest.mark.parametrize("habit", HABITS)
def test_habit(habit: str, files: list[bytes]) -> None:
    came, server = fetch_in_pieces(files, HABITS[habit])
    assert whole(came) == got(fetch(files, HABITS[habit])[0])
    for ranges in sent(server).values():
        assert is_gapless([each for each in ranges if each != (0, 0)])
    assert all("range" in request.headers for request in server.requests if "/frames/" in request.target)


# ------------------------------------------------------------------------------- what cannot be put together


def _with_range(fault: bad.Fault) -> bad.Fault:
    return lambda request, reply: fault(request, reply) if "range" in request.headers else None


def _claimed(change: Callable[[int, int, int], str | None]) -> Callable[[BadServer], None]:
    return lambda s: s.misbehave(bad.content_range(change), ranged=True)


LIES: dict[str, Callable[[BadServer], object]] = {
    "ranges ignored": lambda s: s.misbehave(bad.changed(ranges=False)),
    "only the first heeded": lambda s: s.misbehave(bad.nth(1, bad.changed(ranges=False))),
    "no Content-Range": _claimed(lambda a, b, t: None),
    "no range in Content-Range": _claimed(lambda a, b, t: f"bytes */{t}"),
    "another unit": _claimed(lambda a, b, t: f"frames {a}-{b}/{t}"),
    "backwards": _claimed(lambda a, b, t: f"bytes {b}-{a}/{t}"),
    "beyond the end": _claimed(lambda a, b, t: f"bytes {a}-{b}/{b}"),
    "fewer bytes than there are": _claimed(lambda a, b, t: f"bytes {a}-{b - 1}/{t}"),
    "more bytes than there are": _claimed(lambda a, b, t: f"bytes {a}-{b + 1}/{t + 1}"),
    "always from the first": _claimed(lambda a, b, t: f"bytes 0-{b - a}/{t}"),
    "one byte off": _claimed(lambda a, b, t: f"bytes {a + 1}-{b + 1}/{t + 1}"),
    "fewer bytes than there are, chunked": lambda s: (
        s.misbehave(bad.changed(framing="chunked")),
        _claimed(lambda a, b, t: f"bytes {a}-{b - 1}/{t}")(s),
    ),
    "more bytes than there are, chunked": lambda s: (
        s.misbehave(bad.changed(framing="chunked")),
        _claimed(lambda a, b, t: f"bytes {a}-{b + 1}/{t + 1}")(s),
    ),
    "no end of bytes": lambda s: s.misbehave(bad.changed(framing="close", endless=True), ranged=True),
    "later than asked for": lambda s: s.misbehave(bad.other_range(lambda a, b: (a + 10, b))),
    "always the same": lambda s: s.misbehave(bad.other_range(lambda a, b: (0, 99))),
    "byte by byte": lambda s: s.misbehave(bad.other_range(lambda a, b: (a, a))),
    "in the form of several ranges": lambda s: s.misbehave(bad.byteranges, ranged=True),
    "of the codestream, in envelopes of their own": lambda s: s.misbehave(bad.range_of_the_codestream),
    "compressed ranges": lambda s: s.misbehave(bad.gzipped, ranged=True),
    "ranges of what is compressed": lambda s: s.misbehave(bad.gzipped),
    "another boundary each time": lambda s: s.misbehave(bad.each_time("boundary", lambda n: b"boundary-%04d" % n)),
    "another ETag each time": lambda s: s.misbehave(bad.each_time("etag", lambda n: f'"{n}"')),
    "another ETag each time, If-Range ignored": lambda s: (
        s.misbehave(bad.each_time("etag", lambda n: f'"{n}"')),
        s.misbehave(lambda request, reply: request.headers.pop("if-range", None)),
    ),
    "another weak ETag each time": lambda s: s.misbehave(bad.each_time("etag", lambda n: f'W/"{n}"')),
    "another date each time": lambda s: s.misbehave(
        bad.both(bad.changed(etag=""), bad.each_time("modified", lambda n: f"Sat, 05 Apr 2025 12:00:{n:02} GMT"))
    ),
    "ETag only with the first": lambda s: s.misbehave(
        bad.nth(1, lambda request, reply: reply.headers.pop("ETag")), ranged=True
    ),
    "another total": lambda s: s.misbehave(
        bad.nth(1, bad.content_range(lambda a, b, t: f"bytes {a}-{b}/{t + 5}")), ranged=True
    ),
    "416": lambda s: s.misbehave(_with_range(bad.status(416))),
    "416 to the rest": lambda s: s.misbehave(bad.nth(1, bad.status(416)), ranged=True),
    "400": lambda s: s.misbehave(_with_range(bad.status(400))),
    "500": lambda s: s.misbehave(_with_range(bad.status(500))),
    "501": lambda s: s.misbehave(_with_range(bad.status(501))),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_what_cannot_be_put_together_comes_whole_and_ranges_are_asked_for_no_more(lie: str, files: list[bytes]) -> None:
    came, server = fetch_in_pieces(files, LIES[lie])
    assert whole(came) == frames_of(files)
    ranged = [request.target for request in server.requests if "range" in request.headers]
    assert set(ranged) == {server.requests[1].target}, "asked of the first frame only"


def test_a_small_frame_sent_whole_tells_nothing_about_ranges(files: list[bytes]) -> None:
    first = bad.nth(0, bad.changed(ranges=False))
    came, server = fetch_in_pieces(files, lambda s: s.misbehave(first, times=1), sizes=(1 << 20,))
    assert whole(came) == frames_of(files)
    assert all("range" in request.headers for request in server.requests if "/frames/" in request.target)


def test_an_answer_that_brings_nothing_new_is_the_last(files: list[bytes]) -> None:
    came, server = fetch_in_pieces(files[:1], lambda s: s.misbehave(bad.other_range(lambda a, b: (0, 99))))
    assert whole(came) == frames_of(files[:1])
    assert server.count("/frames/") == 3


def test_bytes_that_are_not_where_they_are_said_to_be(files: list[bytes]) -> None:
    """What is sent again must be the same as before, or nothing tells where the rest belongs."""
    misplaced = bad.nth(1, bad.content_range(lambda a, b, t: f"bytes {a - 600}-{b - 600}/{t}"))
    came, server = fetch_in_pieces(files[:1], lambda s: s.misbehave(misplaced, ranged=True), sizes=(300, 900, None))
    assert whole(came) == frames_of(files[:1])
    assert [len(each) for each in came] == [2]
    assert server.count("/frames/") == 3


def test_overlap_is_left_out(files: list[bytes]) -> None:
    came, _ = fetch_in_pieces(files, lambda s: s.misbehave(bad.other_range(lambda a, b: (max(0, a - 50), b))))
    assert whole(came) == frames_of(files)
    assert [len(each) for each in came] == [2] * len(files)
