"""The byte layout of a shared segment, version 1: docs/segment.md in code. No I/O here."""

from __future__ import annotations

import itertools
import json
import math
import operator
import struct
import zlib
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..errors import SegmentError, UsageError

MAGIC = b"VOLSTRM\0"
VERSION = 1
HEADER_SIZE = 4096
#: Where the words that change lie (sequence, loading, counters), and their size.
LIVE_OFFSET, LIVE_LENGTH = 256, 64
#: Among them: the counters (full, failed, covered); a file's seal (sealed, checksum, checksum of the voxels).
COUNTERS, COUNTERS_OFFSET = struct.Struct("<III"), LIVE_OFFSET + 8
SEAL, SEAL_OFFSET = struct.Struct("<III"), LIVE_OFFSET + 20
#: Voxels start at a multiple of this: a page boundary on machines with 4, 16 and 64 KiB pages.
ALIGNMENT = 65536
#: flags: the segment is a file that is meant to outlive its owner.
PERSISTENT = 1

#: Types a volume may have; voxels are little-endian.
DTYPES = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64")

_HEADER = struct.Struct("<8sII14QIIII")
_CHECKSUM = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything lies in a segment; the fields are the header's, in its order."""

    magic: bytes
    version: int
    header_size: int
    total_size: int
    live_offset: int
    live_length: int
    metadata_offset: int
    metadata_length: int
    states_offset: int
    states_length: int
    ranges_offset: int
    ranges_length: int
    voxels_offset: int
    voxels_length: int
    slice_bytes: int
    created: int
    reserved: int
    slices: int
    flags: int
    owner_pid: int
    metadata_checksum: int

    @classmethod
    def plan(cls, metadata: bytes, *, slices: int, voxels: int, created: int, flags: int, pid: int) -> Layout:
        """Lay the areas out one after the other."""
        states = HEADER_SIZE + _round_up(len(metadata), 64)
        ranges = states + _round_up(slices, 64)
        start = _round_up(ranges + 16 * slices, ALIGNMENT)
        return cls(
            magic=MAGIC,
            version=VERSION,
            header_size=HEADER_SIZE,
            total_size=start + voxels,
            live_offset=LIVE_OFFSET,
            live_length=LIVE_LENGTH,
            metadata_offset=HEADER_SIZE,
            metadata_length=len(metadata),
            states_offset=states,
            states_length=slices,
            ranges_offset=ranges,
            ranges_length=16 * slices,
            voxels_offset=start,
            voxels_length=voxels,
            slice_bytes=voxels // slices,
            created=created,
            reserved=0,
            slices=slices,
            flags=flags,
            owner_pid=pid,
            metadata_checksum=zlib.crc32(metadata),
        )

    def pack(self) -> bytes:
        """The header's fixed part, checksum included."""
        packed = _HEADER.pack(*(getattr(self, field.name) for field in fields(self)))
        return packed + _CHECKSUM.pack(zlib.crc32(packed))

    @classmethod
    def parse(cls, header: bytes, size: int) -> Layout:
        """Read and check the header of an object of `size` bytes; SegmentError names what is wrong."""
        if len(header) < HEADER_SIZE:
            raise SegmentError(f"the segment is incomplete: {len(header)} bytes, its header alone has {HEADER_SIZE}")
        layout = cls(*_HEADER.unpack_from(header))
        if layout.magic != MAGIC:
            raise SegmentError(
                "the segment is still being created" if layout.magic == bytes(8) else "this is not a volstream segment"
            )
        if layout.version != VERSION:
            raise SegmentError(f"the segment has version {layout.version}; this volstream reads version {VERSION}")
        if zlib.crc32(header[: _HEADER.size]) != _CHECKSUM.unpack_from(header, _HEADER.size)[0]:
            raise SegmentError("the segment's header is damaged: its checksum does not match")
        layout._check(size)
        return layout

    def metadata(self, text: bytes) -> dict[str, Any]:
        """Parse the metadata, and check that shape and type are those of the voxels."""
        if zlib.crc32(text) != self.metadata_checksum:
            raise SegmentError("the segment's metadata are damaged: their checksum does not match")
        try:
            metadata: dict[str, Any] = json.loads(text)
            shape = tuple(operator.index(length) for length in metadata["shape"])
            size = voxel_bytes(shape, np.dtype(str(metadata["dtype"])), self.slices)
            float(metadata["fill"] or 0)
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError, UsageError) as error:
            raise SegmentError(f"the segment's metadata do not describe a volume: {error}") from None
        if size != self.voxels_length:
            raise SegmentError(f"the segment has {self.voxels_length} bytes of voxels, its shape {shape} needs {size}")
        return metadata

    def _check(self, size: int) -> None:
        """Every area inside the object, aligned, of the right length, none over another."""
        if self.total_size != size:
            raise SegmentError(f"the segment has {size} bytes, its header says {self.total_size}")
        areas = [("header", 0, self.header_size)]
        for name, alignment in (("metadata", 1), ("states", 1), ("ranges", 8), ("voxels", 4096)):
            offset, length = getattr(self, f"{name}_offset"), getattr(self, f"{name}_length")
            if offset % alignment or offset > size or length > size - offset:
                raise SegmentError(f"the segment's {name} lie outside it, or unaligned: {length} bytes at {offset}")
            areas.append((name, offset, length))
        areas.sort(key=lambda area: area[1])
        for (name, offset, length), (following, start, _) in itertools.pairwise(areas):
            if offset + length > start:
                raise SegmentError(f"the segment's {name} and {following} overlap")
        sizes = {
            "header size": (self.header_size, HEADER_SIZE),
            "live words": ((self.live_offset, self.live_length), (LIVE_OFFSET, LIVE_LENGTH)),
            "number of states": (self.states_length, self.slices),
            "length of the ranges": (self.ranges_length, 16 * self.slices),
            "length of the voxels": (self.voxels_length, self.slices * self.slice_bytes),
        }
        for what, (found, expected) in sizes.items():
            if found != expected:
                raise SegmentError(f"the segment's {what}: {found} where {expected} is right")
        if not self.slices or not self.slice_bytes:
            raise SegmentError("the segment holds no voxels")


def voxel_bytes(shape: tuple[int, ...], dtype: np.dtype[Any], slices: int) -> int:
    """Size of the voxels, in integers without bounds; UsageError if shape, type and slices do not go together."""
    if dtype.name not in DTYPES:
        raise UsageError(f"a volume cannot have dtype {dtype.name}; it can have {', '.join(DTYPES)}")
    if not 3 <= len(shape) <= 5 or min(shape) < 1:
        raise UsageError(f"{shape} is not the shape of a volume: (k, j, i) or (t, k, j, i), colour last")
    if slices not in (shape[0], shape[0] * shape[1]) or not 1 <= slices < 2**32:
        raise UsageError(f"a volume of shape {shape} does not have {slices} slices")
    return math.prod(shape) * dtype.itemsize


def image_shape(shape: tuple[int, ...], slices: int) -> tuple[int, ...]:
    """Of one slice of a volume: (rows, columns), and 3 for colour."""
    is_colour = len(shape) == 5 or (len(shape) == 4 and shape[0] == slices and (shape[1] > 1 or shape[3] == 3))
    return shape[-3:] if is_colour else shape[-2:]


def _round_up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple
