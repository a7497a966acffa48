"""The short way through a body of one part takes what the parser would give, or nothing."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volstream import _native
from volstream.fetch.only_part import only_part

BOUNDARY = b"b0undary"


def build(frame: bytes, *, headers: bytes = b"Content-Type: application/octet-stream", end: bytes = b"") -> bytes:
    return b"--" + BOUNDARY + b"\r\n" + headers + b"\r\n\r\n" + frame + b"\r\n--" + BOUNDARY + b"--" + end


def cut(body: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(body), *(place % (len(body) + 1) for place in places)})
    return [body[a:b] for a, b in itertools.pairwise(edges)]


@given(
    st.binary(min_size=1, max_size=300),
    st.lists(st.integers(0, 10_000), max_size=6),
    st.sampled_from([b"", b"\r\n"]),
    st.sampled_from([b"", b"\r\n"]),
    st.booleans(),
)
def test_any_chunking_gives_the_frame_or_leaves_it_to_the_parser(
    frame: bytes, places: list[int], before: bytes, after: bytes, tells_length: bool
) -> None:
    headers = b"Content-Type: application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
    if tells_length:
        headers += b"\r\nContent-Length: %d" % len(frame)
    chunks = cut(before + build(frame, headers=headers, end=after), places)
    found = only_part(chunks, BOUNDARY, len(frame))
    parser = _native.MultipartParser(BOUNDARY, part_limit=1000)
    (part,) = [part for chunk in chunks for part in parser.feed(chunk)]
    assert bytes(part[1]) == frame
    if found is None:
        assert b"\r\n\r\n" not in chunks[0]  # the headers were cut in two
    else:
        assert b"".join(found[1]) == frame
        assert found[0].parameters["transfer-syntax"] == "1.2.840.10008.1.2.1"


def test_a_pad_byte_is_part_of_the_frame() -> None:
    assert only_part([build(b"abc\0")], BOUNDARY, 3)[1] == (b"abc\0",)


@pytest.mark.parametrize(
    "body",
    [
        build(b"abcd")[:-1],
        build(b"abcd")[:-3] + b"x--",
        build(b"abcd", end=b"\r\nepilogue"),
        build(b"ab\r\n--" + BOUNDARY + b"cd"),
        build(b""),
        build(b"abcd", headers=b"Content-Length: 5"),
        build(b"abcd", headers=b"Content-Transfer-Encoding: base64"),
        build(b"abcd", headers=b"Content-Type: multipart/mixed"),
        b"preamble\r\n" + build(b"abcd"),
        b"--" + BOUNDARY + b"\r\n",
        b"",
    ],
)
def test_whatever_is_not_exactly_so_is_left_to_the_parser(body: bytes) -> None:
    assert only_part([body] if body else [], BOUNDARY, 4) is None


@pytest.mark.parametrize("size", [None, 3, 5, 100])
def test_another_size_is_taken_if_no_delimiter_is_inside(size: int | None) -> None:
    assert only_part([build(b"abcd")], BOUNDARY, size)[1] == (b"abcd",)


@given(st.binary(max_size=40), st.binary(max_size=40), st.lists(st.integers(0, 200), max_size=6))
def test_a_delimiter_inside_is_seen_wherever_the_body_is_cut(before: bytes, after: bytes, places: list[int]) -> None:
    frame = before + b"\r\n--" + BOUNDARY + after
    head = len(build(b"")) - len(b"\r\n--" + BOUNDARY + b"--")
    chunks = cut(build(frame), [0, *(head + place % len(frame) for place in places)])
    assert only_part(chunks, BOUNDARY) is None
    assert only_part(chunks, BOUNDARY, len(frame)) is not None


def test_without_a_boundary_nothing_is_guessed() -> None:
    assert only_part([build(b"abcd")], b"", 4) is None
