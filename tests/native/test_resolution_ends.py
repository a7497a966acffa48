"""How much of a codestream each resolution needs: exact for every encoder, and never too little."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volstream import _native
from volstream.errors import DamagedError, UnsupportedError

from .codestreams import CODECS, Array, decode, encode, make_frame
from .progressions import make

SOC, COD, TLM, PLT, SOT, SOD = 0xFF4F, 0xFF52, 0xFF55, 0xFF58, 0xFF90, 0xFF93


class Stream(NamedTuple):
    codec: str
    data: bytes
    frame: Array
    #: Whether its resolutions may end with packets that hold nothing.
    has_empty: bool = False

    def decoded(self, size: int | None = None, reduce: int = 0) -> Array | None:
        """What the first `size` bytes give; None if they are not even one packet."""
        bits = 8 * self.frame.dtype.itemsize
        try:
            return decode(self.codec, self.data[:size], self.frame, bits, reduce=reduce, allow_truncated=True)
        except DamagedError:
            return None


HTJ2K = {
    "htj2k-tlm": {"tlm": True, "tilepart": 1},
    "htj2k-bare": {},
    "htj2k-lossy": {"reversible": False, "level": 0.002},
    "htj2k-colour-tlm": {"tlm": True, "tilepart": 1},
}
NAMES = [*make.OPTIONS, *HTJ2K, "jpeg-2000-bare"]


@cache
def stream_named(name: str) -> Stream:
    if name in make.OPTIONS:
        data = (make.HERE / f"{name}.j2k").read_bytes()
        return Stream("jpeg-2000", data, make.image(name), "layers" in name or "colour" in name)
    frame = make_frame(50, 61, 16, content="gradient", samples=3 if "colour" in name else 1)
    frame = frame // 2 + make_frame(50, 61, 12, samples=3 if "colour" in name else 1)
    if name in HTJ2K:
        return Stream("htj2k", bytes(imagecodecs.htj2k_encode(frame, **{"reversible": True} | HTJ2K[name])), frame)
    return Stream("jpeg-2000", encode("jpeg-2000", frame, 16), frame)


@pytest.fixture(params=NAMES)
def stream(request: pytest.FixtureRequest) -> Stream:
    found = stream_named(request.param)
    if CODECS[found.codec]["origin"] == "absent":
        pytest.skip(f"the {found.codec} decoder is not built in")
    return found


def ends_of(data: bytes) -> list[int]:
    ends = _native.resolution_ends(data)
    assert ends is not None
    assert None not in ends
    return [end for end in ends if end is not None]


def test_every_prefix_from_the_end_on_gives_the_same_and_none_before(stream: Stream) -> None:
    ends = ends_of(stream.data)
    probed = _native.probe(stream.data)
    assert probed is not None
    assert (len(ends), probed["is_resolution_major"]) == (probed["resolutions"] + 1, True)
    assert ends[0] == len(stream.data)
    needed = [ends[0] - 2, *ends[1:]]  # of the end marker there is no need
    for reduce, end in enumerate(needed):
        whole = stream.decoded(None, reduce)
        near = {other + k for other in needed for k in range(-3, 16)}
        for size in sorted(near | set(range(end, end + 20)) | set(range(end, len(stream.data) + 1, 131))):
            if end <= size <= len(stream.data):
                np.testing.assert_array_equal(stream.decoded(size, reduce), whole, f"{reduce} from {size}")
        if not stream.has_empty:
            assert not np.array_equal(stream.decoded(end - 1, reduce), whole)  # type: ignore[arg-type]


def test_a_prefix_tells_what_the_whole_does_or_nothing(stream: Stream) -> None:
    ends = ends_of(stream.data)
    for size in range(len(stream.data)):
        told = _native.resolution_ends(stream.data[:size]) or [None] * len(ends)
        for reduce, end in enumerate(ends):
            assert told[reduce] in (None, end)
            if reduce and size >= end:
                assert told[reduce] == end


def test_what_is_not_whole_counts_for_nothing() -> None:
    """A prefix that is too short for its `reduce` gives the image of the resolutions that are whole, only smoother."""
    for name in ("htj2k-tlm", "htj2k-bare", "jpeg-2000-bare", "rpcl-tileparts-tlm-plt"):  # of one packet a resolution
        stream = stream_named(name)
        if CODECS[stream.codec]["origin"] == "absent":
            continue
        ends = ends_of(stream.data)
        coarse = stream.decoded(ends[2], 0)
        assert coarse is not None
        assert coarse.shape == stream.frame.shape
        for size in range(ends[2], ends[1], 7):
            np.testing.assert_array_equal(stream.decoded(size, 0), coarse)
        assert not np.array_equal(stream.decoded(ends[1], 0), coarse)  # type: ignore[arg-type]
        last = len(ends) - 1
        for size in range(ends[last]):
            assert stream.decoded(size, last) is None


def test_without_one_whole_packet_there_is_no_image() -> None:
    stream = stream_named("htj2k-bare")
    if CODECS["htj2k"]["origin"] == "absent":
        pytest.skip("the htj2k decoder is not built in")
    for size, words in ((100, "its header is cut"), (125, "packet"), (ends_of(stream.data)[-1] - 1, "packet")):
        with pytest.raises(DamagedError, match=words):
            decode("htj2k", stream.data[:size], stream.frame, 16, allow_truncated=True)


# --- Markers --------------------------------------------------------------------------------------------------------


def segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, from, to) of the main header and, as SOT, of all that follows."""
    at = 2
    while (marker := int.from_bytes(data[at : at + 2])) != SOT:
        yield marker, at, at + 2 + int.from_bytes(data[at + 2 : at + 4])
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    yield SOT, at, len(data)


def edited(data: bytes, edit: Callable[[int, bytearray], bytes | bytearray]) -> bytes:
    """The codestream with each piece that `segments` tells of replaced by what `edit` makes of it."""
    return data[:2] + b"".join(bytes(edit(marker, bytearray(data[a:b]))) for marker, a, b in segments(data))


def start_of_packets(data: bytes) -> int:
    return data.index(SOD.to_bytes(2)) + 2


@pytest.mark.parametrize("name", ["htj2k-tlm", "htj2k-colour-tlm", "rpcl-tileparts-tlm-plt", "rpcl-precincts-plt"])
def test_listed_lengths_tell_all_before_the_first_packet(name: str) -> None:
    data = stream_named(name).data
    assert ends_of(data[: start_of_packets(data)]) == ends_of(data)


@pytest.mark.parametrize("name", ["htj2k-tlm", "rpcl-tileparts-tlm-plt", "rpcl-precincts-tlm"])
def test_without_the_list_the_ends_are_the_same(name: str) -> None:
    data = stream_named(name).data
    bare = edited(data, lambda marker, segment: b"" if marker == TLM else segment)
    assert len(bare) < len(data)
    assert ends_of(bare) == [end - (len(data) - len(bare)) for end in ends_of(data)]
    unlisted = _native.resolution_ends(bare[: start_of_packets(bare)])
    assert unlisted is None or unlisted[1] is None


def test_a_list_that_contradicts_the_tile_parts_is_not_believed() -> None:
    data = stream_named("htj2k-tlm").data

    def longer(marker: int, segment: bytearray) -> bytearray:
        if marker == TLM:
            segment[-1] ^= 1  # the last part's length
        return segment

    wrong = edited(data, longer)
    assert ends_of(wrong) == ends_of(data)  # by the packets themselves
    first = edited(data, lambda marker, segment: segment[:9] + b"\1" + segment[10:] if marker == TLM else segment)
    assert _native.resolution_ends(first[: start_of_packets(first)]) is None


def test_tile_parts_that_are_not_resolutions_are_seen_through() -> None:
    """As many parts as resolutions, but the first has no packet and the last has two."""
    data = stream_named("htj2k-tlm").data
    at = next(begin for marker, begin, _ in segments(data) if marker == SOT)
    parts = []
    while data[at : at + 2] == SOT.to_bytes(2):
        length = int.from_bytes(data[at + 6 : at + 10])
        parts.append(data[at + 14 : at + length])
        at += length
    packets = [b"", *parts[:-2], parts[-2] + parts[-1]]
    written = [
        SOT.to_bytes(2) + bytes([0, 10, 0, 0]) + (14 + len(body)).to_bytes(4) + bytes([i, len(parts)])
        + SOD.to_bytes(2) + body for i, body in enumerate(packets)
    ]  # fmt: skip
    lengths = b"".join(b"\0\0" + len(part).to_bytes(4) for part in written)
    tlm = TLM.to_bytes(2) + (4 + len(lengths)).to_bytes(2) + b"\0\x60" + lengths
    replaced = {TLM: tlm, SOT: b"".join(written) + b"\xff\xd9"}
    moved = edited(data, lambda marker, segment: replaced.get(marker, bytes(segment)))
    assert _native.resolution_ends(moved[: start_of_packets(moved)]) in (None, [len(moved)] + [None] * 5)
    ends = ends_of(moved)
    frame = stream_named("htj2k-tlm").frame
    if CODECS["htj2k"]["origin"] != "absent":
        for reduce, end in enumerate(ends):
            small = decode("htj2k", moved[:end], frame, 16, reduce=reduce, allow_truncated=True)
            np.testing.assert_array_equal(small, decode("htj2k", data, frame, 16, reduce=reduce))


def with_coding(data: bytes, **values: int) -> bytes:
    places = {"progression": 5, "layers": 7, "style": 12}

    def edit(marker: int, segment: bytearray) -> bytearray:
        for key, value in values.items() if marker == COD else ():
            segment[places[key]] = value
        return segment

    return edited(data, edit)


def before_tiles(data: bytes, marker: int, body: bytes) -> bytes:
    extra = marker.to_bytes(2) + (2 + len(body)).to_bytes(2) + body
    return edited(data, lambda kind, segment: extra + segment if kind == SOT else bytes(segment))


def with_size(data: bytes, offset: int, value: bytes) -> bytes:
    return data[: 4 + offset] + value + data[4 + offset + len(value) :]


OTHERS: dict[str, Callable[[bytes], bytes]] = {
    "PCRL": lambda data: with_coding(data, progression=3),
    "CPRL": lambda data: with_coding(data, progression=4),
    "no progression": lambda data: with_coding(data, progression=5),
    "LRCP, two layers": lambda data: with_coding(data, progression=0, layers=2),
    "HT, two layers": lambda data: with_coding(data, layers=2),
    "HT, mixed with others": lambda data: with_coding(data, style=0xC0),
    "POC": lambda data: before_tiles(data, 0xFF5F, bytes([0, 0, 0, 1, 6, 1, 2])),
    "COC": lambda data: before_tiles(data, 0xFF53, bytes([0, 0, 4, 4, 4, 0, 1])),
    "PPM": lambda data: before_tiles(data, 0xFF60, bytes(9)),
    "origin": lambda data: with_size(data, 12, (2).to_bytes(4)),
    "half a component": lambda data: with_size(data, 39, b"\2"),
    "POC in the tile": lambda data: data[: start_of_packets(data) - 2] + bytes.fromhex("ff5f0009000000010601 02")
    + data[start_of_packets(data) - 2 :],
    "PPT in the tile": lambda data: data[: start_of_packets(data) - 2] + bytes.fromhex("ff610004000a")
    + data[start_of_packets(data) - 2 :],
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_other_orders_have_no_useful_prefix(name: str) -> None:
    stream = stream_named("htj2k-tlm")
    data = OTHERS[name](stream.data)
    seen = _native.probe(data)
    assert seen is not None
    assert not seen["is_resolution_major"]
    assert _native.resolution_ends(data) is None
    if CODECS["htj2k"]["origin"] == "absent":
        return
    with pytest.raises((UnsupportedError, DamagedError)):
        decode("htj2k", data[: len(data) * 2 // 3], stream.frame, 16, allow_truncated=True)


def test_tiles_have_no_useful_prefix() -> None:
    frame = make_frame(64, 64, 8, content="gradient")
    data = bytes(imagecodecs.htj2k_encode(frame, reversible=True, tile=(32, 32), tlm=True, tilepart=1))
    seen = _native.probe(data)
    assert seen is not None
    assert not seen["is_resolution_major"]
    assert _native.resolution_ends(data) is None


def test_a_jp2_file_counts_from_its_first_byte() -> None:
    frame = make_frame(40, 50, 8, content="gradient")
    options = {"level": 0, "reversible": True, "resolutions": 4}
    bare = bytes(imagecodecs.jpeg2k_encode(frame, codecformat="j2k", **options))
    boxed = bytes(imagecodecs.jpeg2k_encode(frame, codecformat="jp2", **options))
    shift = boxed.index(bare[:40])
    assert ends_of(boxed) == [end + shift for end in ends_of(bare)]


# --- Damage ---------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.sampled_from(NAMES), st.data())
def test_damage_is_survived(name: str, choose: st.DataObject) -> None:
    data = bytearray(stream_named(name).data)
    header = start_of_packets(bytes(data)) + 40
    for _ in range(choose.draw(st.integers(1, 4))):
        place = choose.draw(st.integers(0, min(header, len(data) - 1)) | st.integers(0, len(data) - 1))
        data[place] = choose.draw(st.integers(0, 255))
    damaged = bytes(data[: choose.draw(st.integers(0, len(data)))])
    _native.probe(damaged)
    ends = _native.resolution_ends(damaged)
    known = [end for end in ends or () if end is not None]
    assert known == sorted(known, reverse=True)
    assert all(end > 0 for end in known)


def test_absurd_sizes_cost_nothing() -> None:
    """A header that claims far more precincts and code-blocks than there are bytes."""
    data = stream_named("htj2k-bare").data
    for rows, columns in ((2**32 - 1, 2**32 - 1), (2**20, 2**20), (1, 2**32 - 1)):
        huge = with_size(data, 2, columns.to_bytes(4) + rows.to_bytes(4))
        huge = with_size(huge, 18, columns.to_bytes(4) + rows.to_bytes(4))
        _native.resolution_ends(huge)
        with pytest.raises((UnsupportedError, DamagedError)):
            decode("htj2k", huge[:-40], stream_named("htj2k-bare").frame, 16, allow_truncated=True)
