"""The beginning of frames that lie in a file or in memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volstream.fetch.cut import cut
from volstream.records import FileRange


@pytest.mark.parametrize(
    ("size", "ranges"),
    [
        (0, ()),
        (1, ((100, 1),)),
        (10, ((100, 10),)),
        (11, ((100, 10), (200, 1))),
        (30, ((100, 10), (200, 20))),
        (35, ((100, 10), (200, 20), (300, 5))),
        (60, ((100, 10), (200, 20), (300, 30))),
        (99, ((100, 10), (200, 20), (300, 30))),
    ],
)
def test_fragments(size: int, ranges: tuple[tuple[int, int], ...]) -> None:
    assert cut(FileRange("a.dcm", ((100, 10), (200, 20), (300, 30))), size) == FileRange("a.dcm", ranges)


@given(st.binary(max_size=50), st.integers(0, 60), st.sampled_from([bytes, bytearray, memoryview]))
def test_memory_is_not_copied(data: bytes, size: int, kind: type) -> None:
    location = kind(data)
    piece = cut(location, size)
    assert isinstance(piece, memoryview)
    assert piece == data[:size]
    assert piece.obj is (data if kind is memoryview else location)


@given(st.lists(st.integers(0, 20), max_size=6), st.integers(0, 130))
def test_bytes_of_a_file(lengths: list[int], size: int) -> None:
    """Fragments that lie in disorder, as no file would have them."""
    content = bytes(range(256))
    location = FileRange("a.dcm", tuple((200 - 30 * i, length) for i, length in enumerate(lengths)))

    def read(where: FileRange) -> bytes:
        return b"".join(content[offset : offset + length] for offset, length in where.ranges)

    piece = cut(location, size)
    assert isinstance(piece, FileRange)
    assert read(piece) == read(location)[:size]
    assert piece.size == min(size, location.size)
