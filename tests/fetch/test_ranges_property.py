"""Whatever the frame, wherever it is cut, and whatever the server does: the frame is what a plain request brings."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

import faults as bad
from badserver import BadServer
from fetching import fetch, fetch_in_pieces, frames_of, is_gapless, make_files, sent
from volstream.errors import HttpStatusError, VolstreamError
from volstream.fetch.source import Fetched, Partial
from volstream.syntaxes import EXPLICIT, HTJ2K_RPCL, RLE


@cache
def series(syntax: str) -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        return make_files(Path(folder), count=1, syntax=syntax)


def holding(frame: bytes, *faults: bad.Fault) -> Callable[[BadServer], None]:
    """The one frame of the series is another now."""

    def misbehave(server: BadServer) -> None:
        for instance in server.instances.values():
            instance.frames = [frame]
        for fault in faults:
            server.misbehave(fault)

    return misbehave


def outcome(fetched: Fetched) -> object:
    if isinstance(fetched, VolstreamError):
        return type(fetched), fetched.message
    assert not isinstance(fetched, Partial)
    data = fetched.data
    return b"".join(data) if isinstance(data, tuple) else bytes(data), fetched.transfer_syntax  # type: ignore[arg-type]


codestream = frames_of(series(HTJ2K_RPCL))[0][0]
#: Random bytes, real codestreams, and both together; delimiters and their beginnings within.
frames = st.lists(
    st.one_of(
        st.binary(max_size=200),
        st.integers(0, 3000).map(bytes),
        st.sampled_from([codestream, codestream[:100]]),
        st.sampled_from([b"\r\n--a-boundar", b"\r\n--a-boundary", b"\r\n--a-boundary--\r\n"]),
    ),
    max_size=5,
).map(b"".join)  # fmt: skip
sizes = st.lists(st.integers(1, 4000), max_size=5).map(lambda each: (*each, None) if each else (1, None))
syntaxes = st.sampled_from([HTJ2K_RPCL, RLE, EXPLICIT])

NOT_FOUND = bad.status(404)
#: Before the range is cut out, and after it.
HABITS: list[bad.Fault] = [
    bad.changed(framing="chunked", chunk=77),
    bad.single("image/jphc"),
    bad.part_length(0),
    bad.part_length(1),
    bad.no_last_line_end,
    bad.changed(epilogue=b"Bye\r\n"),
    bad.changed(preamble=b"Hello\r\n\r\n"),
    bad.changed(newline=b"\n"),
    bad.changed(boundary_field=""),
    bad.changed(closed=False),
    bad.part_headers(f"X-Nothing: {'x' * 1500}"),
    bad.changed(etag=""),
    bad.changed(etag='W/"1"'),
    bad.changed(ranges=False),
    bad.other_range(lambda a, b: (a, a + 399)),
    bad.other_range(lambda a, b: (a, b and b + 333)),
    bad.other_range(lambda a, b: (max(0, a - 33), b)),
    bad.other_range(lambda a, b: (a + 33, b)),
    bad.other_range(lambda a, b: (0, 511)),
    bad.other_range(lambda a, b: (a, a)),
]
LIES: list[bad.Fault] = [
    bad.changed(framing="chunked", chunk=77),
    bad.changed(framing="close"),
    bad.byteranges,
    bad.gzipped,
    bad.content_range(lambda a, b, t: None),
    bad.content_range(lambda a, b, t: f"bytes {a}-{b}/*"),
    bad.content_range(lambda a, b, t: f"bytes {a}-{b}/{t + 1}"),
    bad.content_range(lambda a, b, t: f"bytes {a}-{b - 1}/{t}"),
    bad.content_range(lambda a, b, t: f"bytes {a}-{b + 1}/{t + 1}"),
    bad.content_range(lambda a, b, t: f"bytes 0-{b - a}/{t}"),
    NOT_FOUND,
    bad.status(416),
    bad.status(500),
]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(frame=frames, sizes=sizes, syntax=syntaxes)
def test_no_byte_comes_twice_from_an_honest_server(frame: bytes, sizes: tuple[int | None, ...], syntax: str) -> None:
    files = series(syntax)
    (came,), server = fetch_in_pieces(files, holding(frame), sizes, attempts=1)
    (plain,), plain_server = fetch(files, holding(frame), attempts=1)
    assert outcome(came[-1]) == outcome(plain)
    partials = came[:-1]
    assert all(isinstance(piece, Partial) and frame.startswith(piece.data) for piece in partials)
    lengths = [len(piece.data) for piece in partials]
    assert lengths == sorted(lengths)
    assert all(length >= size for length, size in zip(lengths, sizes, strict=False) if size is not None)
    if not isinstance(plain, VolstreamError):
        ((ranges,), (((_, total),),)) = sent(server).values(), sent(plain_server).values()
        assert is_gapless(ranges)
        assert ranges[-1][1] == total
        begin = total - len(frame) - len(b"\r\n--a-boundary--\r\n")
        assert sum(max(0, min(b, begin + len(frame)) - max(a, begin)) for a, b in ranges) == len(frame)


@settings(max_examples=150, deadline=None)
@given(
    frame=frames,
    sizes=sizes,
    syntax=syntaxes,
    habit=st.sampled_from([lambda request, reply: None, *HABITS]),
    lie=st.sampled_from([lambda request, reply: None, *LIES]),
    since=st.integers(0, 2),
)
def test_whatever_the_server_does_the_frame_is_the_same(
    frame: bytes, sizes: tuple[int | None, ...], syntax: str, habit: bad.Fault, lie: bad.Fault, since: int
) -> None:
    files = series(syntax)
    answers = itertools.count()

    def misbehave(server: BadServer) -> None:
        holding(frame, habit)(server)
        server.misbehave(lambda request, reply: lie(request, reply) if next(answers) >= since else None, ranged=True)

    (came,), _ = fetch_in_pieces(files, misbehave, sizes, attempts=2)
    (plain,), _ = fetch(files, holding(frame, habit), attempts=2)
    if lie is NOT_FOUND and isinstance(came[-1], HttpStatusError):
        return
    assert outcome(came[-1]) == outcome(plain)
    for piece in came[:-1]:
        assert isinstance(piece, Partial)
        assert frame.startswith(piece.data)
