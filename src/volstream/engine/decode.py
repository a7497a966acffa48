"""One frame: encoded bytes, or a file range, to the voxels of a slice.

The native core does it wherever it has the codec. What it lacks (`UnsupportedError`) goes to pydicom's plugins,
which hold the GIL and therefore run in child processes.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import _native
from ..errors import DamagedError, SourceError, UnsupportedError
from ..headers.pixeldata import first_bit
from ..records import FileRange, FrameRecord, Payload, PixelFormat, Rescale
from ..syntaxes import IMPLICIT, SYNTAXES


class Task(NamedTuple):
    """How to decode one frame, in plain values that can cross to another process."""

    spec: dict[str, Any]
    data: Any
    transfer_syntax: str
    dtype: str


@lru_cache(maxsize=1)
def native_codecs() -> frozenset[str]:
    """Names of the codecs that are built in."""
    return frozenset(row["name"] for row in _native.codecs() if row["origin"] != "absent")


def codec_of(transfer_syntax: str) -> str:
    """The codec a transfer syntax names; a file without one is implicit little endian (PS3.5 section 10.1)."""
    syntax = SYNTAXES.get(transfer_syntax or IMPLICIT)
    if syntax is None:
        raise UnsupportedError(f"unknown transfer syntax {transfer_syntax}")
    return syntax.codec


@lru_cache(maxsize=4096)
def spec_fields(pixel: PixelFormat, rescale: Rescale, codec: str, first_bit: int, reduce: int = 0) -> dict[str, Any]:
    """The keyword arguments of `_native.FrameSpec`."""
    table = pixel.palette if pixel.photometric == "PALETTE COLOR" else rescale.table
    fields: dict[str, Any] = {
        "codec": codec,
        "rows": pixel.rows,
        "columns": pixel.columns,
        "bits_allocated": pixel.bits_allocated,
        "bits_stored": pixel.bits_stored,
        "high_bit": pixel.high_bit,
        "pixel_representation": pixel.pixel_representation,
        "samples_per_pixel": pixel.samples_per_pixel,
        "planar_configuration": pixel.planar_configuration,
        "photometric": pixel.photometric,
        "is_float": pixel.is_float,
        "slope": rescale.slope,
        "intercept": rescale.intercept,
        "first_bit": first_bit,
        "reduce": reduce,
        "allow_truncated": reduce > 0,
    }
    if table is not None:
        fields |= {"table": table.entries, "table_first": table.first, "table_channels": table.channels}
    return fields


@lru_cache(maxsize=4096)
def _native_spec(pixel: PixelFormat, rescale: Rescale, codec: str, first_bit: int, reduce: int) -> _native.FrameSpec:
    return _native.FrameSpec(**spec_fields(pixel, rescale, codec, first_bit, reduce))


def native_spec(record: FrameRecord, payload: Payload, rescale: Rescale, reduce: int = 0) -> _native.FrameSpec:
    """What the core has to know for decoding this frame; UnsupportedError if it has no decoder for it."""
    codec = codec_of(payload.transfer_syntax)
    if codec not in native_codecs():
        raise UnsupportedError(f"no built-in decoder for {SYNTAXES[payload.transfer_syntax].name}")
    return _native_spec(record.pixel, rescale, codec, first_bit(record, payload.transfer_syntax), reduce)


def decode_native(
    record: FrameRecord, payload: Payload, rescale: Rescale, reduce: int, target: Any, dtype: str
) -> tuple[float, float]:
    """Decode in this process without the GIL; (minimum, maximum) of the voxels written."""
    spec = native_spec(record, payload, rescale, reduce)
    if reduce:
        syntax = payload.transfer_syntax
        fields = spec_fields(record.pixel, rescale, codec_of(syntax), first_bit(record, syntax), reduce)
        return _decode_reduced(spec, fields, payload.data, target, dtype)
    return _decode(spec, payload.data, target, dtype)


def reduced_shape(fields: dict[str, Any]) -> tuple[int, int, int]:
    """Rows, columns and channels of the image that `spec_fields` make."""
    rows, columns = (-(-fields[length] >> fields["reduce"]) for length in ("rows", "columns"))
    return rows, columns, max(fields["samples_per_pixel"], fields.get("table_channels", 1))


def _decode_reduced(
    spec: _native.FrameSpec, fields: dict[str, Any], data: Any, target: Any, dtype: str
) -> tuple[float, float]:
    """The smaller image, spread over the slice."""
    rows, columns, channels = reduced_shape(fields)
    small = bytearray(rows * columns * channels * np.dtype(dtype).itemsize)
    extent = _decode(spec, data, small, dtype)
    _native.upsample(small, (rows, columns), target, (fields["rows"], fields["columns"]), dtype, channels)
    return extent


def _decode(spec: _native.FrameSpec, data: Any, target: Any, dtype: str) -> tuple[float, float]:
    if isinstance(data, FileRange):
        return _native.decode_file(spec, data.path, data.ranges, target, 0, dtype)
    return _native.decode(spec, data, target, 0, dtype)


def task_of(record: FrameRecord, payload: Payload, rescale: Rescale, reduce: int, dtype: str) -> Task:
    """The same for a child process."""
    syntax = payload.transfer_syntax
    spec = spec_fields(record.pixel, rescale, codec_of(syntax), first_bit(record, syntax), reduce)
    data = tuple(payload.data) if isinstance(payload.data, FileRange) else bytes_of(payload.data)
    return Task(spec, data, syntax, dtype)


def run_task(task: Task, target: Any) -> tuple[float, float]:
    """What a child process does: the native core, or pydicom's plugins where that has no decoder."""
    data = FileRange(*task.data) if isinstance(task.data, tuple) else task.data
    if task.spec["codec"] in native_codecs():
        try:
            native = _native.FrameSpec(**task.spec)
            if task.spec["reduce"]:
                return _decode_reduced(native, task.spec, data, target, task.dtype)
            return _decode(native, data, target, task.dtype)
        except UnsupportedError:  # e.g. 12-bit JPEG with libjpeg-turbo 2
            if task.spec["codec"].startswith("raw") or task.spec["reduce"]:
                raise  # no plugin reads what we cannot
    from .plugins import decode_stored

    raw_spec, stored = decode_stored(task.spec, bytes(bytes_of(data)), task.transfer_syntax)
    return _decode(_native.FrameSpec(**raw_spec), stored, target, task.dtype)


def bytes_of(data: Any) -> Any:
    """The bytes of a payload or location in one piece, from wherever they are."""
    if isinstance(data, FileRange):
        return _read(data)
    return b"".join(data) if isinstance(data, tuple) else data


def _read(data: FileRange) -> bytes:
    parts = []
    try:
        with Path(data.path).open("rb") as file:
            for offset, length in data.ranges:
                file.seek(offset)
                parts.append(file.read(length))
                if len(parts[-1]) != length:
                    raise DamagedError(
                        f"the file ends {length - len(parts[-1])} bytes before its pixel data do", address=data.path
                    )
    except OSError as error:
        raise SourceError(f"cannot read the file: {error.strerror}", address=data.path) from error
    return b"".join(parts)
