"""The multipart splitter: what RFC 2046 allows, what servers do, and that chunks never matter."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volstream._native import MultipartParser
from volstream.errors import ProtocolError, TruncatedError

B = b"a-boundary"


def split(
    body: bytes,
    boundary: bytes = B,
    sizes: Iterable[int] = (),
    *,
    limit: int = 1 << 20,
    parts: int = 64,
    reserve: int = 0,
) -> list[tuple[dict[str, str], bytes]]:
    """All parts, feeding chunks of `sizes` and then the rest."""
    parser = MultipartParser(boundary, part_limit=limit, parts_limit=parts, reserve=reserve)
    found, at = [], 0
    for size in sizes:
        found += parser.feed(body[at : at + size])
        at += size
    found += parser.feed(body[at:])
    parser.finish()
    return [(headers, bytes(data)) for headers, data in found]


def build(parts: list[bytes], *, n: bytes = b"\r\n", boundary: bytes = B, headers: bytes = b"A: b\r\n") -> bytes:
    return b"".join(b"--%s%s%s%s%s%s" % (boundary, n, headers, n, part, n) for part in parts) + b"--%s--%s" % (
        boundary,
        n,
    )


# Bytes that look like framing, so that near misses are common.
tricky = st.lists(
    st.sampled_from(
        [b"\r", b"\n", b"-", b"--", b"\r\n", b"\r\n--", B[:4], B, b"\r\n--" + B + b"x", b" ", b"\0\0", b"7"]
    ),
    max_size=12,
).map(b"".join)


@given(bodies=st.lists(tricky, min_size=1, max_size=4), sizes=st.lists(st.integers(1, 30)), lengths=st.booleans())
def test_any_chunking_gives_the_same_parts(bodies: list[bytes], sizes: list[int], lengths: bool) -> None:
    # What a body holds must not be a boundary itself; RFC 2046 asks that of the sender.
    bodies = [body for body in bodies if all(f"\r\n--{B.decode()}{end}".encode() not in b"\r\n" + body + b"\r\n"
              for end in ("\r\n", "--", " ", "\t"))]  # fmt: skip
    body = b"".join(
        b"--%s\r\n%s\r\n%s\r\n" % (B, b"Content-Length: %d\r\n" % len(part) if lengths else b"", part)
        for part in bodies
    )
    assert [data for _, data in split(body + b"--" + B + b"--", sizes=sizes)] == bodies


@pytest.mark.parametrize("length", [b"", b"Content-Length: 16\r\n"])
def test_every_split_point(length: bytes) -> None:
    body = build([b"\r\n--a-boundary-x"[:16], b"0123456789abcdef"], headers=length)
    whole = split(body)
    assert [data for _, data in whole] == [b"\r\n--a-boundary-x"[:16], b"0123456789abcdef"]
    for at in range(len(body)):
        assert split(body, sizes=[at]) == whole
    assert split(body, sizes=[1] * len(body)) == whole


def test_every_truncation_is_noticed() -> None:
    body = build([b"0123", b"4567"])
    for at in range(len(body) - 2):  # the last line end is no part of the closing boundary
        with pytest.raises(TruncatedError):
            split(body[:at])


def test_every_truncation_is_noticed_without_a_known_boundary() -> None:
    body = build([b"0123"])
    for at in range(len(body) - 2):
        with pytest.raises(TruncatedError):
            split(body[:at], b"")


@pytest.mark.parametrize("padding", [b"", b" ", b" \t "])
def test_blanks_after_the_boundary(padding: bytes) -> None:
    body = build([b"data", b"more"]).replace(b"--a-boundary\r\n", b"--a-boundary" + padding + b"\r\n")
    assert [data for _, data in split(body)] == [b"data", b"more"]


def test_preamble_and_epilogue() -> None:
    body = (
        b"This is a message\r\n--a-boundaryx\r\n\r\n"
        + build([b"data"])
        + b"\r\n--a-boundary\r\n\r\nnot me\r\n--a-boundary--"
    )
    assert [data for _, data in split(body)] == [b"data"]


def test_no_part_headers() -> None:
    assert split(build([b"data"], headers=b"")) == [({}, b"data")]


def test_empty_part_and_no_part() -> None:
    assert split(build([b""])) == [({"a": "b"}, b"")]
    assert split(b"--a-boundary--") == []


def test_bare_lf_throughout() -> None:
    assert split(build([b"da\r\nta\r", b"\r"], n=b"\n", headers=b"A: b\n")) == [
        ({"a": "b"}, b"da\r\nta\r"),
        ({"a": "b"}, b"\r"),
    ]


def test_bare_lf_boundary_in_a_crlf_body_is_data() -> None:
    assert split(build([b"x\n--a-boundary\ny"]))[0][1] == b"x\n--a-boundary\ny"


def test_boundary_taken_from_the_first_line() -> None:
    parser = MultipartParser(b"", part_limit=100)
    assert [bytes(data) for _, data in parser.feed(build([b"data"], boundary=b"=_other"))] == [b"data"]
    parser.finish()
    assert parser.boundary == b"=_other"


@pytest.mark.parametrize("boundary", [b"x", b"0123456789" * 7])
def test_shortest_and_longest_boundary(boundary: bytes) -> None:
    assert split(build([b"data"], boundary=boundary), boundary)[0][1] == b"data"


def test_boundary_too_long() -> None:
    with pytest.raises(ProtocolError, match="70"):
        MultipartParser(b"x" * 71, part_limit=1)


def test_wrong_boundary() -> None:
    with pytest.raises(ProtocolError, match="does not occur") as caught:
        split(build([b"data"], boundary=b"A-Boundary"))
    assert not isinstance(caught.value, TruncatedError)


@pytest.mark.parametrize("length", [3, 5, 30, 100])
def test_part_length_that_lies(length: int) -> None:
    body = build([b"data"], headers=b"content-LENGTH:%d\r\n" % length)
    for sizes in ([], [1] * len(body)):
        with pytest.raises(ProtocolError, match="Content-Length"):
            split(body, sizes=sizes)


@pytest.mark.parametrize("length", [b"-1", b"+4", b"4 4", b"", b"9223372036854775808", b"0x4"])
def test_part_length_that_is_none(length: bytes) -> None:
    with pytest.raises(ProtocolError, match="not a size"):
        split(build([b"data"], headers=b"Content-Length: %s\r\n" % length))


def test_part_length_above_the_limit() -> None:
    with pytest.raises(ProtocolError, match="at most 100"):
        split(build([b"data"], headers=b"Content-Length: 101\r\n"), limit=100)


def test_boundary_within_a_part_of_known_length_is_data() -> None:
    data = b"x\r\n--a-boundary\r\ny"
    assert split(build([data], headers=b"Content-Length: %d\r\n" % len(data)))[0][1] == data


@pytest.mark.parametrize("size", [100, 101])
def test_part_limit(size: int) -> None:
    body = build([bytes(size)])
    if size <= 100:
        assert split(body, limit=100, reserve=1 << 20)[0][1] == bytes(size)
    else:
        with pytest.raises(ProtocolError, match="at most 100"):
            split(body, limit=100)


def test_more_parts_than_asked_for() -> None:
    with pytest.raises(ProtocolError, match="2 parts"):
        split(build([b""] * 10**5), parts=2)


@pytest.mark.parametrize("headers", [b"A: " + b"x" * 20000 + b"\r\n", b"A: b\r\n" * 65, b"x" * 10**6])
def test_header_block_limits(headers: bytes) -> None:
    with pytest.raises(ProtocolError):
        split(build([b"data"], headers=headers))


def test_preamble_limit() -> None:
    with pytest.raises(ProtocolError, match="first boundary"):
        split(b"x" * (1 << 20))


def test_headers_are_folded_and_lower_cased() -> None:
    body = build([b""], headers=b"Content-TYPE: image/jls;\r\n transfer-syntax=1.2\r\nNonsense\r\n")
    assert split(body)[0][0] == {"content-type": "image/jls; transfer-syntax=1.2", "nonsense": ""}


def test_bodies_outlive_the_parser() -> None:
    parser = MultipartParser(B, part_limit=1 << 20)
    (part,) = parser.feed(build([b"data" * 1000]))
    del parser
    assert bytes(part[1]) == b"data" * 1000


def test_only_bytes_are_fed() -> None:
    with pytest.raises(TypeError):
        MultipartParser(B, part_limit=1).feed("text")  # type: ignore[arg-type]
