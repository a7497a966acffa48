"""Whatever a header claims, attaching ends in a volume or in a SegmentError; never in a crash or a partial map."""

from __future__ import annotations

import dataclasses
import json
import os
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volstream.errors import SegmentError
from volstream.store import layout as layouts
from volstream.store.layout import HEADER_SIZE, Layout
from volstream.store.lease import Lease
from volstream.store.segment import Segment

NUMBERS = [field.name for field in dataclasses.fields(Layout) if field.name not in ("magic", "created", "reserved")]
#: Wrong values of these are not wrong: they inform.
FREE = {"flags", "owner_pid"}


@pytest.fixture(scope="module")
def image(tmp_path_factory) -> bytes:
    """The bytes of a good segment."""
    path = tmp_path_factory.mktemp("segment") / "good"
    with Segment.create((3, 2, 2), "int16", {"units": "HU"}, slices=3, path=path) as segment:
        segment.array[...] = 5
    return path.read_bytes()


@pytest.fixture
def attach(tmp_path):
    """Attach to a file of these bytes, and let go again."""

    def attempt(content: bytes) -> int:
        path = tmp_path / "segment"
        path.write_bytes(content)
        with Segment.attach(path) as segment:
            return int(segment.array.sum())

    return attempt


def with_layout(image: bytes, layout: Layout) -> bytes:
    """The same segment with another header, whose checksum is right."""
    header = layout.pack()
    return header + image[len(header) :]


def with_metadata(image: bytes, text: bytes) -> bytes:
    """The same segment with other metadata, whose checksums are right."""
    layout = Layout.parse(image, len(image))
    text = text.ljust(layout.metadata_length)
    assert len(text) == layout.metadata_length
    start = layout.metadata_offset
    changed = image[:start] + text + image[start + len(text) :]
    return with_layout(changed, dataclasses.replace(layout, metadata_checksum=zlib.crc32(text)))


def test_the_good_one_attaches(image, attach):
    assert attach(image) == 60


@pytest.mark.parametrize("name", NUMBERS)
def test_every_field_is_checked(image, attach, name):
    layout = Layout.parse(image, len(image))
    bits = 32 if name in ("version", "header_size", *NUMBERS[-4:]) else 64
    for value in {0, 1, 7, 4095, 2**31, 2**32 - 1, 2**63 % 2**bits, 2**bits - 1} - {getattr(layout, name)}:
        content = with_layout(image, dataclasses.replace(layout, **{name: value}))
        if name in FREE:
            assert attach(content) == 60
        else:
            with pytest.raises(SegmentError):
                attach(content)


def test_every_byte_of_the_header_is_checked(image, attach):
    for offset in range(148):
        content = bytearray(image)
        content[offset] ^= 0x10
        with pytest.raises(SegmentError):
            attach(bytes(content))


@pytest.mark.parametrize("size", [0, 1, 148, HEADER_SIZE - 1, HEADER_SIZE, HEADER_SIZE + 60, -1, -24, -25])
def test_a_cut_segment_is_refused(image, attach, size):
    with pytest.raises(SegmentError, match=r"incomplete|header says"):
        attach(image[:size])


def test_a_longer_one_as_well(image, attach):
    with pytest.raises(SegmentError, match="header says"):
        attach(image + b"\0")


@pytest.mark.parametrize(("areas"), [("states", "metadata"), ("ranges", "metadata"), ("ranges", "states")])
def test_areas_may_not_overlap(image, attach, areas):
    layout = Layout.parse(image, len(image))
    moved = {f"{areas[0]}_offset": getattr(layout, f"{areas[1]}_offset")}
    with pytest.raises(SegmentError, match="overlap"):
        attach(with_layout(image, dataclasses.replace(layout, **moved)))


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (bytes(8), "still being created"),
        (b"VOLSTREM", "not a volstream segment"),
        (b"\x7fELF\2\1\1\0", "not a volstream"),
    ],
)
def test_what_it_is_instead_is_said(image, attach, start, message):
    with pytest.raises(SegmentError, match=message):
        attach(start + image[8:])


def test_another_version_is_named(image, attach):
    content = with_layout(image, dataclasses.replace(Layout.parse(image, len(image)), version=2))
    with pytest.raises(SegmentError, match="version 2; this volstream reads version 1"):
        attach(content)


@pytest.mark.parametrize(
    "metadata",
    [
        [], 3, None, {}, {"shape": [3, 2, 2], "fill": 0}, {"shape": [3, 2, 2], "dtype": "O", "fill": 0},
        {"shape": [3, 2, 2], "dtype": "x,y"}, {"shape": [3, 2], "dtype": "i2"}, {"shape": [3, 2, 4], "dtype": "i2"},
        {"shape": [3, -2, -2], "dtype": "i2"}, {"shape": "322", "dtype": "i2"}, {"shape": [3, 2.5, 2], "dtype": "i2"},
        {"shape": [3, 2, 10**20], "dtype": "i2"}, {"shape": [3, 2, 2], "dtype": "i2", "fill": "x"},
        {"shape": [3, 2, 2], "dtype": "i2"}, {"shape": [3, 2, None], "dtype": "i2"},
    ],
    ids=str,
)  # fmt: skip
def test_metadata_must_describe_the_voxels(image, attach, metadata):
    with pytest.raises(SegmentError, match=r"metadata|shape"):
        attach(with_metadata(image, json.dumps(metadata).encode()))


@pytest.mark.parametrize("text", [b"", b"{", b"[" * 50, b"\xff\xfe", b'{"shape":'], ids=repr)
def test_metadata_must_be_json(image, attach, text):
    with pytest.raises(SegmentError, match="metadata"):
        attach(with_metadata(image, text))


def test_damaged_metadata_are_noticed(image, attach):
    content = bytearray(image)
    content[Layout.parse(image, len(image)).metadata_offset + 3] ^= 1
    with pytest.raises(SegmentError, match="metadata are damaged"):
        attach(bytes(content))


@settings(max_examples=300, deadline=None)
@given(header=st.binary(min_size=136, max_size=136), size=st.integers(0, 2**64 - 1))
def test_random_headers_are_refused(header, size):
    body = layouts.MAGIC + struct.pack("<II", 1, HEADER_SIZE) + header[8:]
    body = body + struct.pack("<I", zlib.crc32(body))
    with pytest.raises(SegmentError):
        Layout.parse(body.ljust(HEADER_SIZE, b"\0"), size)


@settings(max_examples=300, deadline=None)
@given(
    changes=st.dictionaries(
        st.sampled_from([name for name in NUMBERS if name.endswith(("offset", "length", "bytes"))]),
        st.integers(0, 2**16) | st.integers(0, 2**64 - 1),
    ),
    size=st.integers(0, 2**17),
)
def test_whatever_is_accepted_lies_inside(changes, size):
    good = Layout.plan(b"{}" * 40, slices=3, voxels=24, created=0, flags=0, pid=1)
    try:
        layout = Layout.parse(
            dataclasses.replace(good, total_size=size, **changes).pack().ljust(HEADER_SIZE, b"\0"), size
        )
    except SegmentError:
        return
    areas = [(getattr(layout, f"{name}_offset"), getattr(layout, f"{name}_length"))
             for name in ("metadata", "states", "ranges", "voxels")]  # fmt: skip
    assert all(HEADER_SIZE <= offset <= offset + length <= size for offset, length in areas if length)


def test_what_is_no_file_of_ours_is_not_opened(tmp_path, monkeypatch, image):
    good = tmp_path / "good"
    good.write_bytes(image)
    link = tmp_path / "link"
    link.symlink_to(good)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (link, pipe, tmp_path, tmp_path / "absent"):
        with pytest.raises(SegmentError):
            Segment.attach(path)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(SegmentError, match="belongs to another user"):
        Segment.attach(good)


@pytest.mark.parametrize(
    "name", ["", "/", "volstream-1", "/volstream-" + "g" * 32, "psm_1234", "/volstream-" + "0" * 32]
)
def test_names_that_are_none(name):
    with pytest.raises(SegmentError):
        Segment.attach(name)


def test_one_that_is_replaced_while_it_is_opened(tmp_path, image):
    path = tmp_path / "segment"
    path.write_bytes(image)
    lease = Lease.attach(path)
    try:
        Path(path).unlink()
        path.write_bytes(b"")
        descriptor = lease.reopen(writable=False)
        assert os.pread(descriptor, len(image), 0) == image, "the one that was opened is meant"
        os.close(descriptor)
    finally:
        lease.release()
    with pytest.raises(SegmentError, match="removed"):
        lease.reopen(writable=False)
