"""A frame's bytes as they go out: codestreams as stored, all else little endian (PS3.18 section 8.7.3)."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np

from volstream.errors import TruncatedError
from volstream.headers.part10 import read_records
from volstream.headers.pixeldata import first_bit
from volstream.records import FileRange, FrameRecord, PixelFormat
from volstream.server.index import Instance
from volstream.syntaxes import BIG_ENDIAN, ENCAPSULATED_RAW, EXPLICIT, SYNTAXES


def sent_syntax(stored: str) -> str:
    """The transfer syntax in which frames of a stored one are sent."""
    known = SYNTAXES.get(stored)
    is_raw = known is not None and (not known.encapsulated or stored == ENCAPSULATED_RAW)
    return EXPLICIT if is_raw else stored


def frame_size(record: FrameRecord) -> int:
    """Length of what `read_frame` returns, without reading it."""
    if isinstance(record.location, FileRange) and sent_syntax(record.transfer_syntax) != EXPLICIT:
        return record.location.size
    return record.pixel.frame_bytes


def read_frame(instance: Instance, number: int) -> bytes:
    """The bytes of frame `number`, from 0. Blocks on the file."""
    record = instance.records[number]
    if not record.location:  # deflated files are unpacked again for each request: rare, and small
        record = read_records(instance.path)[number]
    location = record.location
    if isinstance(location, FileRange):
        with Path(location.path).open("rb") as file:
            data = b"".join(_read(file, *each) for each in location.ranges)
    else:
        data = bytes(location or b"")
    if record.transfer_syntax == BIG_ENDIAN:
        data = _little_endian(data, record.pixel)
    if record.pixel.bits_allocated <= 8 and sent_syntax(record.transfer_syntax) == EXPLICIT:
        data = _alone(data, record)
    if len(data) != frame_size(record):
        raise TruncatedError(f"{len(data)} of {frame_size(record)} bytes", uid=record.uid, index=number)
    return data


def _read(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(length)


def _alone(data: bytes, record: FrameRecord) -> bytes:
    """Frames follow each other without padding (PS3.5 8.1.1), and may share a word; alone, each begins at its own."""
    first = first_bit(record, record.transfer_syntax)
    if record.pixel.bits_allocated == 8:
        return data[first // 8 :][: record.pixel.frame_bytes]
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[first : first + record.pixel.frame_bits]
    return np.packbits(bits, bitorder="little").tobytes()


def _little_endian(data: bytes, pixel: PixelFormat) -> bytes:
    """Bytes of 8-bit samples come in swapped pairs as well, since they are words of VR OW (PS3.5 A.3)."""
    width = max(pixel.bits_allocated // 8, 2)
    return np.frombuffer(data, f">u{width}").astype(f"<u{width}").tobytes()
