"""Frames piece by piece: the beginning first, the rest later, and what servers make of it."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from badserver import BadServer
from fetching import fetch_in_pieces, frames_of, got, joined, make_files
from volstream.fetch.source import Fetched, Partial
from volstream.syntaxes import HTJ2K_RPCL


@pytest.fixture
def files(tmp_path: Path) -> list[bytes]:
    """Three slices, each a codestream of some 1400 bytes behind a multipart head of some 300."""
    return make_files(tmp_path / "htj2k", syntax=HTJ2K_RPCL)


def whole(came: list[list[Fetched]]) -> list[tuple[bytes, str]]:
    return got([each[-1] for each in came])


def sent(server: BadServer) -> dict[str, list[tuple[int, int]]]:
    """The ranges of bytes that each frame's answers had."""
    ranges: dict[str, list[tuple[int, int]]] = {}
    for request in server.requests:
        if "/frames/" in request.target:
            ranges.setdefault(request.target, []).append(request.sent)
    return ranges


def is_gapless(ranges: list[tuple[int, int]]) -> bool:
    """Whether they begin at the first byte, follow each other, and repeat nothing."""
    return ranges[0][0] == 0 and all(a[1] == b[0] for a, b in itertools.pairwise(ranges))


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
