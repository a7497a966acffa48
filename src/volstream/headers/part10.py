"""Part 10 files and their bytes to records. PS3.10 section 7."""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from volstream import _native
from volstream.errors import DamagedError, NotDicomError, ResourceError, VolstreamError
from volstream.headers.build import build_records, uid_of
from volstream.headers.pixeldata import Fragments, Ranges, frame_ranges, native_ranges
from volstream.headers.tags import TAGS
from volstream.headers.values import Attributes
from volstream.records import FileRange, FrameRecord, Location, PixelFormat
from volstream.syntaxes import BIG_ENDIAN, EXPLICIT, IMPLICIT, SYNTAXES

_TAGS = _native.HeaderTags(TAGS)
_PIXELS = {0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData", 0x7FE00010: "PixelData"}
_INFLATED_BYTES = 512 << 20
_INFLATED_RATIO = 200

Data = bytes | bytearray | memoryview


def read_records(source: str | os.PathLike[str] | Data, *, address: str | None = None) -> list[FrameRecord]:
    """The records of a file, by its path, or of a file's bytes: one a frame, none if it is no image.

    Args:
        source: the path, or the bytes, which the records then refer to.
        address: what errors and records name it; the path by default. Records add "dicomfile:" to it, and "?frame=N",
            counted from 1, where an instance has several frames.

    Raises:
        SourceError: it cannot be read; NotDicomError if it is something else.
        DamagedError: its header is truncated or contradicts itself.
        UnsupportedError: its pixels are of a kind that is not served.

    """
    data = source if isinstance(source, (bytes, bytearray, memoryview)) else os.fspath(source)
    name = address if address is not None else data if isinstance(data, str) else "memory"
    try:
        return _read(data, name)
    except VolstreamError as error:
        raise error.located(address=name) from None


def _read(data: str | Data, name: str) -> list[FrameRecord]:
    header = _native.read_header(data, _TAGS)
    if not header.is_dicom:
        raise NotDicomError("not a DICOM file")
    syntax = header.transfer_syntax
    if header.is_deflated:
        data = _inflate(Path(data).read_bytes() if isinstance(data, str) else data, header.dataset)
        attributes = header.attributes
        header = _native.read_header(data, _TAGS)
        header.attributes.update(attributes)
    else:
        syntax = _true_syntax(header)
    attributes = header.attributes
    if not header.pixel_tag:
        if not header.has_preamble and not header.is_deflated and "SOPClassUID" not in attributes:
            raise NotDicomError("not a DICOM file")
        return []
    attributes["PixelData"] = _PIXELS[header.pixel_tag]
    try:
        return build_records(attributes, syntax, partial(_address, name), partial(_locate, data, header))
    except VolstreamError as error:
        raise error.located(uid=uid_of(attributes) or None) from None


def _address(name: str, frame: int, count: int) -> str:
    return f"dicomfile:{name}" if count == 1 else f"dicomfile:{name}?frame={frame + 1}"


def _true_syntax(header: _native.Header) -> str:
    """The transfer syntax as found: files whose meta information is absent or wrong are read as they are."""
    syntax = header.transfer_syntax
    known = SYNTAXES.get(syntax)
    if header.pixel_length is None or (syntax and (known is None or known.encapsulated)):
        return syntax
    if header.is_big_endian:
        # Bytes have no order: 8-bit pixels in OB lie as in a little endian file. PS3.5 A.3.
        return EXPLICIT if header.pixel_vr == "OB" else BIG_ENDIAN
    return EXPLICIT if header.is_explicit else IMPLICIT


def _locate(data: str | Data, header: _native.Header, pixel: PixelFormat, count: int) -> Sequence[Location]:
    known = SYNTAXES.get(header.transfer_syntax)
    if header.fragments is None:
        if known is not None and known.encapsulated:
            raise DamagedError(f"the pixel data are not encapsulated, as {known.name} must be")
        assert header.pixel_length is not None
        ranges = native_ranges(pixel, count, header.pixel_offset, header.pixel_length)
    else:
        if known is not None and not known.encapsulated:
            raise DamagedError(f"the pixel data are encapsulated, which {known.name} cannot be")
        fragments = Fragments(
            header.offset_table, header.fragments, header.fragments_end, *_extended_table(header.attributes)
        )
        ranges = frame_ranges(fragments, count)
    if isinstance(data, str):
        return [FileRange(data, frame) for frame in ranges]
    view = memoryview(data)
    return [_joined(view, frame, header.fragments is not None) for frame in ranges]


def _extended_table(attributes: Attributes) -> tuple[tuple[int, ...], tuple[int, ...]]:
    def words(keyword: str) -> tuple[int, ...]:
        raw = attributes.get(keyword, b"")
        return tuple(int.from_bytes(raw[at : at + 8], "little") for at in range(0, len(raw) - 7, 8))

    return words("ExtendedOffsetTable"), words("ExtendedOffsetTableLengths")


def _joined(data: memoryview, ranges: Ranges, encapsulated: bool) -> Location:
    """A frame's bytes. Of a truncated codestream none at all: some decoders would not notice."""
    if encapsulated and any(offset + length > len(data) for offset, length in ranges):
        return b""
    parts = [data[offset : offset + length] for offset, length in ranges]
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _inflate(data: Data, offset: int) -> bytes:
    """The data set of Deflated Explicit VR Little Endian (PS3.5 A.5), within limits."""
    packed = memoryview(data)[offset:]
    limit = min(_INFLATED_BYTES, max(_INFLATED_RATIO * len(packed), 1 << 20))
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        plain = engine.decompress(packed, limit)
    except zlib.error as error:
        raise DamagedError(f"the deflated data set is damaged: {error}") from error
    if engine.unconsumed_tail:
        raise ResourceError(f"the deflated data set grows beyond {limit} bytes")
    if not engine.eof:
        raise DamagedError(f"the deflated data set is cut after {len(packed)} bytes")
    return plain
