"""Helpers of the native tests: one decode into a fresh array."""

from __future__ import annotations

from typing import Any

import numpy as np

from volstream import _native


def spec_of(codec: str, rows: int, columns: int, bits: int = 16, **options: Any) -> _native.FrameSpec:
    """A FrameSpec whose stored bits fill the allocated ones, unless told otherwise."""
    fields = {"bits_allocated": bits, "bits_stored": bits, "high_bit": options.get("bits_stored", bits) - 1} | options
    return _native.FrameSpec(codec=codec, rows=rows, columns=columns, **fields)


def decoded(spec: _native.FrameSpec, data: Any, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """The frame as an array; the returned range is compared with it on the way."""
    out = np.zeros(shape, dtype)
    low, high = _native.decode(spec, data, out, 0, dtype)
    assert (low, high) == (out.min(), out.max())
    return out
