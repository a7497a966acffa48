"""What is done to stored values on their way into the volume, against numpy."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from volstream import _native
from volstream.errors import DamagedError, UnsupportedError, UsageError, ValueRangeError

from .single_frames import decoded, spec_of

DTYPES = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64"]
SLOPES = [1.0, 1.0, -1.0, 2.0, 0.5, 0.37, -3.25, 0.0, 1e-7]
INTERCEPTS = [0.0, 0.0, -1024.0, 1.0, 0.5, -8192.0, 1e6]


def stored_values(cells: np.ndarray, bits_stored: int, high_bit: int, signed: bool) -> np.ndarray:
    """PS3.5 8.1.1: the bits from HighBit down, the sign in the highest of them."""
    values = (cells.astype(np.int64) >> (high_bit + 1 - bits_stored)) & ((1 << bits_stored) - 1)
    return np.where(values >> (bits_stored - 1) & 1, values - (1 << bits_stored), values) if signed else values


@st.composite
def frames(draw: st.DrawFn) -> dict[str, Any]:
    bits = draw(st.sampled_from([8, 16, 32]))
    stored = draw(st.integers(1, bits))
    rows, columns = draw(st.integers(1, 5)), draw(st.integers(1, 40))
    seed = draw(st.integers(0, 2**32 - 1))
    cells = np.random.default_rng(seed).integers(0, 1 << bits, (rows, columns), dtype=np.uint64).astype(f"uint{bits}")
    return {
        "cells": cells,
        "stored": stored,
        "high": draw(st.integers(stored - 1, bits - 1)),
        "signed": draw(st.booleans()),
        "dtype": draw(st.sampled_from(DTYPES)),
        "slope": draw(st.sampled_from(SLOPES)),
        "intercept": draw(st.sampled_from(INTERCEPTS)),
        "margin": draw(st.integers(0, 3)),
        "gap": draw(st.integers(0, 3)),
        "big_endian": draw(st.booleans()) and bits > 8,
    }


@given(frames())
def test_equals_numpy_and_touches_nothing_else(frame: dict[str, Any]) -> None:
    cells, dtype = frame["cells"], np.dtype(frame["dtype"])
    rows, columns = cells.shape
    spec = spec_of(
        "raw-be" if frame["big_endian"] else "raw",
        rows,
        columns,
        8 * cells.itemsize,
        bits_stored=frame["stored"],
        high_bit=frame["high"],
        pixel_representation=int(frame["signed"]),
        slope=frame["slope"],
        intercept=frame["intercept"],
    )
    data = cells.astype(cells.dtype.newbyteorder(">")) if frame["big_endian"] else cells
    values = stored_values(cells, frame["stored"], frame["high"], frame["signed"])
    expected = values.astype(np.float64) * frame["slope"] + frame["intercept"]
    if dtype.kind != "f":
        expected = np.rint(expected)

    item, margin, stride = dtype.itemsize, frame["margin"], columns + frame["gap"]
    buffer = np.full((2 * margin + rows * stride) * item, 0xA5, np.uint8)
    inside = np.zeros(buffer.size // item, bool)
    inside[margin : margin + rows * stride].reshape(rows, stride)[:, :columns] = True

    def decode() -> tuple[float, float]:
        return _native.decode(spec, data.tobytes(), buffer, margin * item, dtype.name, stride * item)

    if dtype.kind != "f" and (expected.min() < np.iinfo(dtype).min or expected.max() > np.iinfo(dtype).max):
        with pytest.raises(ValueRangeError, match="do not fit"):
            decode()
    else:
        expected = expected.astype(dtype)
        assert decode() == (expected.min(), expected.max())
        np.testing.assert_array_equal(buffer.view(dtype)[inside], expected.ravel())
    assert (buffer.reshape(-1, item)[~inside] == 0xA5).all()


@st.composite
def long_frames(draw: st.DrawFn) -> dict[str, Any]:
    """A row of 64-bit cells with dirt around the stored bits; the values are any, or mean some near a type's end."""
    stored, signed = draw(st.sampled_from([64, 64, 63, 54, 53, 33, 12, 1])), draw(st.booleans())
    low, high = (-(1 << (stored - 1)), (1 << (stored - 1)) - 1) if signed else (0, (1 << stored) - 1)
    slope = draw(st.sampled_from([1.0, 1.0, -1.0, 2.0, -1000003.0, 2.0**32 + 1, 2.0**62, 0.0, 0.5, -1e-9]))
    intercept = draw(st.sampled_from([0.0, -1024.0, 2.0**53 + 2, -(2.0**62), 2.0**62, -(2.0**63), 0.5]))
    end = draw(st.sampled_from([0, 2**7, 2**8, 2**15, 2**16, 2**31, 2**32, -(2**7), -(2**15), -(2**31), 2**53, 2**63]))
    meant = round((Fraction(end) - Fraction(intercept)) / Fraction(slope or 1))
    values = draw(st.sampled_from([st.integers(meant - 3, meant + 3), st.integers(low, high)]))
    values = draw(st.lists(values.map(lambda value: min(max(value, low), high)), min_size=1, max_size=9))
    top, dirt = draw(st.integers(stored - 1, 63)), draw(st.integers(0, 2**64 - 1))
    mask = (1 << stored) - 1 << top + 1 - stored
    return {
        "values": values,
        "cells": [dirt & ~mask | value << top + 1 - stored & mask for value in values],
        "codec": draw(st.sampled_from(["raw", "raw-be"])),
        "dtype": np.dtype(draw(st.sampled_from(DTYPES))),
        "meaning": {"slope": slope, "intercept": intercept},
        "layout": {"bits_stored": stored, "high_bit": top, "pixel_representation": int(signed)},
    }


@given(long_frames())
def test_64_bit_integers_equal_pythons(frame: dict[str, Any]) -> None:
    values, dtype, (slope, intercept) = frame["values"], frame["dtype"], frame["meaning"].values()
    # Whole numbers are exact in an integer type, and all others are rounded as numpy does it.
    if dtype.kind != "f" and slope.is_integer() and abs(intercept) <= 2**62 and intercept.is_integer():
        expected = [value * int(slope) + int(intercept) for value in values]
    else:
        expected = (np.array([float(value) for value in values]) * slope + intercept).tolist()
        expected = [round(value) for value in expected] if dtype.kind != "f" else expected
    data = np.array(frame["cells"], "<u8" if frame["codec"] == "raw" else ">u8")
    spec = spec_of(frame["codec"], 1, len(values), 64, **frame["layout"], **frame["meaning"])
    if dtype.kind != "f" and not np.iinfo(dtype).min <= min(expected) <= max(expected) <= np.iinfo(dtype).max:
        with pytest.raises(ValueRangeError, match="do not fit"):
            decoded(spec, data, (1, len(values)), dtype.name)
    else:
        found = decoded(spec, data, (1, len(values)), dtype.name)
        np.testing.assert_array_equal(found, np.array([expected]).astype(dtype))


@pytest.mark.parametrize(
    ("value", "slope", "intercept"),
    [
        (2**62 + 127, 1, -(2**62)),
        (2**62 + 128, 1, -(2**62)),
        (2**62 - 129, 1, -(2**62)),
        (2**53 + 1, 1, -(2**53)),
        (-(2**62) - 128, -1, -(2**62)),
        (2**40 + 1, 2**21 + 1, -(2**61) - 2**40 - 2**21 - 2**10),
        (3, -(2**60) - 2**8, 2**61 + 2**60 + 2**10),
        (2**63 - 1, 3, -(2**62)),
    ],
)
def test_large_terms_that_nearly_cancel_each_other_are_exact(value: int, slope: int, intercept: int) -> None:
    assert (int(float(slope)), int(float(intercept))) == (slope, intercept)
    spec = spec_of("raw", 1, 1, 64, pixel_representation=1, slope=slope, intercept=intercept)
    expected, cell = value * slope + intercept, np.array([value])
    for dtype in ("int8", "uint8", "int16", "int32"):
        if np.iinfo(dtype).min <= expected <= np.iinfo(dtype).max:
            assert decoded(spec, cell, (1, 1), dtype).item() == expected
        else:
            with pytest.raises(ValueRangeError, match="do not fit"):
                decoded(spec, cell, (1, 1), dtype)


def test_integers_are_exact_where_doubles_in_between_would_be_too() -> None:
    cells = np.array([[0, 1, 65535, 32768]], np.uint16)
    spec = spec_of("raw", 1, 4, slope=32767.0, intercept=-1.0)
    np.testing.assert_array_equal(decoded(spec, cells, (1, 4), "int32"), cells.astype(np.int64) * 32767 - 1)


def test_one_value_out_of_range_is_an_error_not_a_wrap() -> None:
    cells = np.zeros((3, 50), np.uint16)
    cells[2, 17] = 32768
    with pytest.raises(ValueRangeError, match="32768 in row 2 do not fit int16"):
        decoded(spec_of("raw", 3, 50), cells, (3, 50), "int16")


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
@pytest.mark.parametrize("bits", [16, 64])
@pytest.mark.parametrize("signed", [0, 1])
def test_modality_table_clamps_at_both_ends(dtype: str, bits: int, signed: int) -> None:
    entries = np.array([7, 100, 3, 255], "<u2")
    cells = np.array([[-(1 << (bits - 1)), -3, -2, -1, 0, 1, 2, (1 << (bits - 1)) - 1]], f"i{bits // 8}")
    spec = spec_of("raw", 1, 8, bits, pixel_representation=signed, table=entries.tobytes(), table_first=-2)
    stored = cells if signed else cells.view(f"u{bits // 8}")
    expected = [[entries[min(max(value + 2, 0), 3)] for value in stored[0].tolist()]]
    np.testing.assert_array_equal(decoded(spec, cells, (1, 8), dtype), expected)


def test_palette_becomes_rgb() -> None:
    entries = np.arange(30, dtype="<u2").reshape(3, 10) * 7
    cells = np.array([[0, 5], [9, 200]], np.uint8)
    spec = spec_of("raw", 2, 2, 8, photometric="PALETTE COLOR", table=entries.tobytes(), table_channels=3)
    expected = entries[:, np.minimum(cells, 9)].transpose(1, 2, 0)
    np.testing.assert_array_equal(decoded(spec, cells, (2, 2, 3), "uint8"), expected)


@pytest.mark.parametrize("bits", [32, 64])
def test_float_pixels(bits: int) -> None:
    cells = np.array([[1.5, -2.25, np.nan, 1e30]], f"f{bits // 8}")
    spec = spec_of("raw", 1, 4, bits, is_float=True, slope=2.0, intercept=1.0)
    out = np.zeros((1, 4), "f8")
    assert _native.decode(spec, cells, out, 0, "float64") == (-3.5, float(cells[0, 3]) * 2 + 1)
    np.testing.assert_array_equal(out, cells.astype("f8") * 2 + 1)
    with pytest.raises(ValueRangeError, match="NaN"):
        _native.decode(spec, cells, np.zeros((1, 4), "i4"), 0, "int32")


def test_all_nan_has_no_range() -> None:
    out = np.zeros((1, 2), "f4")
    low, high = _native.decode(spec_of("raw", 1, 2, 32, is_float=True), np.full(2, np.nan, "f4"), out, 0, "float32")
    assert np.isnan([low, high]).all()
    assert np.isnan(out).all()


def test_a_double_that_float32_cannot_hold_is_an_error() -> None:
    with pytest.raises(ValueRangeError, match="do not fit float32"):
        decoded(spec_of("raw", 1, 1, 64, is_float=True), np.array([1e300]), (1, 1), "float32")


@pytest.mark.parametrize(
    ("size", "offset", "stride", "message"),
    [
        (127, 0, 0, "from byte 0 of 127"),
        (128, 2, 0, "from byte 2 of 128"),
        (128, 0, 30, "30 apart"),
        (128, 0, 34, "34 apart"),
        (4096, 1, 0, "multiple of 2"),
        (4096, 0, 33, "multiple of 2"),
        (128, 128, 128, "from byte 128 of 128"),
        (128, 2**63, 0, "offset"),
        (128, -2, 0, "offset"),
        (128, 0, 2**63 - 1, "row stride"),
    ],
)
def test_a_slice_outside_the_target_is_refused(size: int, offset: int, stride: int, message: str) -> None:
    target = bytearray(size)
    with pytest.raises(UsageError, match=message):
        _native.decode(spec_of("raw", 4, 16), bytes(128), target, offset, "int16", stride)
    assert target == bytearray(size)


def test_read_only_and_strided_targets_are_refused() -> None:
    with pytest.raises(UsageError, match="writable"):
        _native.decode(spec_of("raw", 1, 1), bytes(2), bytes(2), 0, "int16")
    with pytest.raises(UsageError, match="contiguous"):
        _native.decode(spec_of("raw", 1, 1), bytes(2), np.zeros(8, np.int16)[::2], 0, "int16")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"rows": 0}, DamagedError),
        ({"columns": 0}, DamagedError),
        ({"rows": -1}, DamagedError),
        ({"rows": 2**33}, DamagedError),
        ({"bits_allocated": 12}, UnsupportedError),
        ({"bits_stored": 17}, DamagedError),
        ({"bits_stored": 0}, DamagedError),
        ({"high_bit": 16}, DamagedError),
        ({"high_bit": 3}, DamagedError),
        ({"pixel_representation": 2}, DamagedError),
        ({"samples_per_pixel": 2}, UnsupportedError),
        ({"samples_per_pixel": 3}, DamagedError),
        ({"photometric": "RGB"}, DamagedError),
        ({"photometric": "CMYK"}, UnsupportedError),
        ({"photometric": "PALETTE COLOR"}, UsageError),
        ({"codec": "lzw"}, UnsupportedError),
        ({"is_float": True}, UnsupportedError),
        ({"slope": float("nan")}, DamagedError),
        ({"reduce": 1}, UsageError),
        ({"table": b""}, DamagedError),
        ({"table": b"123"}, DamagedError),
        ({"table": b"12", "slope": 2.0}, UsageError),
        ({"first_bit": 1}, UsageError),
    ],
)
def test_metadata_that_make_no_sense_are_refused(changes: dict[str, Any], error: type[Exception]) -> None:
    fields = {"codec": "raw", "rows": 2, "columns": 2, "bits_allocated": 16, "bits_stored": 12, "high_bit": 11}
    target = bytearray(64)
    with pytest.raises(error):
        _native.decode(_native.FrameSpec(**(fields | changes)), bytes(8), target, 0, "int16")
    assert target == bytearray(64)


def test_every_codec_is_listed() -> None:
    names = [row["name"] for row in _native.codecs()]
    assert names == ["raw", "raw-be", "rle", "jpeg", "jpeg-lossless", "jpeg-ls", "jpeg-2000", "htj2k"]
    assert all((row["max_bits"] == 0) == (row["origin"] == "absent") for row in _native.codecs())
