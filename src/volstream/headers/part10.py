"""Part 10 files and their bytes to records. PS3.10 section 7."""

from __future__ import annotations

import logging
import os
import zlib
from functools import partial
from pathlib import Path

from volstream import _native
from volstream.errors import DamagedError, NotDicomError, ResourceError, UnsupportedError, VolstreamError
from volstream.headers.build import build_records
from volstream.headers.locate import Data, PixelData, extended_table
from volstream.headers.pixeldata import Fragments
from volstream.headers.tags import TAGS
from volstream.records import FrameRecord
from volstream.syntaxes import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, SYNTAXES

log = logging.getLogger(__name__)

_TAGS = _native.HeaderTags(TAGS)
_PIXELS = {0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData", 0x7FE00010: "PixelData"}
_INFLATED_BYTES = 512 << 20
_INFLATED_RATIO = 200


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
    if isinstance(source, memoryview):
        source = source.cast("B")
    data = source if isinstance(source, (bytes, bytearray, memoryview)) else os.fspath(source)
    name = address if address is not None else data if isinstance(data, str) else "memory"
    try:
        return _read(data, name)
    except VolstreamError as error:
        raise error.located(address=name) from None


def _read(data: str | Data, name: str) -> list[FrameRecord]:
    try:
        header = _native.read_header(data, _TAGS)
        if header.is_deflated:
            data = _inflate(Path(data).read_bytes() if isinstance(data, str) else data, header.dataset)
            meta, header = header.attributes, _native.read_header(data, _TAGS)
            header.attributes.update(meta)
            syntax = DEFLATED
        else:
            syntax = _true_syntax(header)
    except UnsupportedError as error:
        from volstream.headers.dataset import read_leniently

        log.debug("%s: %s; left to pydicom", name, error.message)
        return read_leniently(data, name)
    if not header.is_dicom:
        raise NotDicomError("not a DICOM file")
    attributes = header.attributes
    if not header.pixel_tag:
        return []
    attributes["PixelData"] = _PIXELS[header.pixel_tag]
    fragments = None
    if header.fragments is not None:
        table = extended_table(attributes)
        fragments = Fragments(header.offset_table, header.fragments, header.fragments_end, *table)
    pixel_data = PixelData(data, syntax, header.pixel_offset, header.pixel_length, fragments)
    return build_records(attributes, syntax, partial(file_address, name), pixel_data.locate)


def file_address(name: str, frame: int, count: int) -> str:
    """The imageId of a frame, counted from 0, of a file."""
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
