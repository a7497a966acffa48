"""Frames decoded at reduced size, spread over their full size: exact, in bounds, and where the wavelet left them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from volstream import _native
from volstream.errors import UsageError

from .codestreams import CODECS, Array, decode, encode

DTYPES = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64"]


def reduced(shape: tuple[int, int], reduce: int) -> tuple[int, int]:
    return -(-shape[0] >> reduce), -(-shape[1] >> reduce)


def around(size: int, samples: int, reduce: int) -> tuple[Array, Array, Array]:
    """For each position: the sample at or before it, the one behind, and the distance from the first in 2^-reduce."""
    position = np.arange(size)
    before = position >> reduce
    return before, np.minimum(before + 1, samples - 1), position & ((1 << reduce) - 1)


def linear(samples: Array, shape: tuple[int, int], reduce: int) -> Array:
    """Bilinear, in integers that are exact; sample i stands at i * 2^reduce (ISO 15444-1 F.3.3)."""
    wide = samples.astype(np.float64 if samples.dtype.kind == "f" else np.int64)
    factor = 1 << reduce
    above, below, down = around(shape[0], len(samples), reduce)
    left, right, across = around(shape[1], samples.shape[1], reduce)
    down, across = down[:, None, None], across[None, :, None]
    rows = wide[above] * (factor - down) + wide[below] * down
    total = rows[:, left] * (factor - across) + rows[:, right] * across
    if samples.dtype.kind == "f":
        return total / factor**2
    return (total + factor**2 // 2) // factor**2


def nearest(samples: Array, shape: tuple[int, int], reduce: int) -> Array:
    half = (1 << reduce) >> 1
    rows = np.minimum((np.arange(shape[0]) + half) >> reduce, len(samples) - 1)
    columns = np.minimum((np.arange(shape[1]) + half) >> reduce, samples.shape[1] - 1)
    return samples[rows][:, columns]


def make(shape: tuple[int, int, int], dtype: str, seed: int, content: str) -> Array:
    random = np.random.default_rng(seed)
    kind = np.dtype(dtype)
    limits: Any = np.iinfo(kind) if kind.kind != "f" else np.finfo(kind)
    if content == "extremes":
        return random.choice(np.array([limits.min, limits.max], kind), shape)
    if kind.kind == "f":
        return random.normal(0, 1000, shape).astype(kind)
    return random.integers(limits.min, limits.max, shape, kind, endpoint=True)


cases = st.fixed_dictionaries(
    {
        "shape": st.tuples(st.integers(1, 40), st.integers(1, 40)),
        "reduce": st.integers(0, 6),
        "channels": st.sampled_from([1, 3]),
        "dtype": st.sampled_from(DTYPES),
        "seed": st.integers(0, 99),
        "content": st.sampled_from(["noise", "extremes"]),
        "method": st.sampled_from(["linear", "nearest"]),
        "gap": st.integers(0, 3),
    }
)


def wide(dtype: str, reduce: int, method: str = "linear", content: str = "extremes") -> dict[str, Any]:
    return {"shape": (3, 70000), "reduce": reduce, "channels": 1, "dtype": dtype, "seed": 0, "content": content,
            "method": method, "gap": 0}  # fmt: skip


@settings(deadline=None)
@given(cases)
@example(wide("uint16", 7))
@example(wide("int16", 8))
@example(wide("int32", 15))
@example(wide("uint32", 15))
@example(wide("uint8", 15, "nearest"))
def test_equals_numpy_and_touches_nothing_else(case: dict[str, Any]) -> None:
    shape, dtype, channels, reduce = case["shape"], np.dtype(case["dtype"]), case["channels"], case["reduce"]
    samples = make((*reduced(shape, reduce), channels), case["dtype"], case["seed"], case["content"])
    before, gap = 2 * dtype.itemsize, case["gap"] * dtype.itemsize
    stride = shape[1] * channels * dtype.itemsize + gap
    buffer = np.full(before + shape[0] * stride + 64, 0xA5, np.uint8)
    _native.upsample(
        samples, samples.shape[:2], buffer, shape, dtype.name, channels, case["method"], before, stride if gap else 0
    )
    rows = buffer[before : before + shape[0] * stride].reshape(shape[0], stride)
    out = rows[:, : stride - gap].copy().view(dtype).reshape(*shape, channels)
    assert (buffer[:before] == 0xA5).all()
    assert (buffer[-64:] == 0xA5).all()
    assert (rows[:, stride - gap :] == 0xA5).all()

    reference = {"linear": linear, "nearest": nearest}[case["method"]]
    if dtype.kind != "f" or case["method"] == "nearest":
        np.testing.assert_array_equal(out, reference(samples, shape, reduce))
    elif case["content"] == "noise":  # products of the largest floats overflow in the reference
        np.testing.assert_allclose(out, reference(samples, shape, reduce), rtol=1e-6, atol=1e-3)
    assert out.min() >= samples.min()
    assert out.max() <= samples.max()
    np.testing.assert_array_equal(out[:: 1 << reduce, :: 1 << reduce], samples)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_sample_stays_itself_beside_one_that_is_not_finite(dtype: str) -> None:
    samples = np.array([[1, np.inf, 2, np.nan, 3]], dtype)
    out = np.zeros((1, 10), dtype)
    _native.upsample(samples, (1, 5), out, (1, 10), dtype)
    np.testing.assert_array_equal(out[0, ::2], samples[0])


@pytest.mark.parametrize("codec", ["jpeg-2000", "htj2k"])
@pytest.mark.parametrize("reduce", [1, 2, 3])
def test_a_ramp_comes_back_as_it_was(codec: str, reduce: int) -> None:
    """The 5/3 transform leaves straight lines alone (F.4.8.1): so samples are believed to stand where they do."""
    if CODECS[codec]["origin"] == "absent":
        pytest.skip(f"the {codec} decoder is not built in")
    shape = (97, 129)
    frame = (100 + 16 * np.arange(shape[0])[:, None] + 32 * np.arange(shape[1])).astype(np.uint16)
    samples = decode(codec, encode(codec, frame, 16), frame, 16, reduce=reduce)
    out = np.zeros(shape, np.uint16)
    _native.upsample(samples, samples.shape, out, shape, "uint16")
    inner = np.s_[: -4 << reduce, : -4 << reduce]  # at the far edges the image is mirrored, and no line
    np.testing.assert_array_equal(out[inner], frame[inner])


def call(**changes: Any) -> None:
    values: dict[str, Any] = {
        "source": np.zeros((4, 5), np.int16), "source_shape": (4, 5), "target": np.zeros((8, 9), np.int16),
        "target_shape": (8, 9), "dtype": "int16",
    }  # fmt: skip
    _native.upsample(**(values | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"source_shape": (4, 4)},
        {"source_shape": (3, 5)},
        {"source_shape": (5, 4)},
        {"source_shape": (0, 5)},
        {"source_shape": (4, -5)},
        {"source_shape": (4, 2**40)},
        {"source_shape": (8, 9)},
        {"source": np.zeros(19, np.int16)},
        {"source": bytes(39)},
        {"source": np.zeros((4, 10), np.int16)[:, ::2]},
        {"target": np.zeros(71, np.int16)},
        {"target": bytes(144)},
        {"target_shape": (8, 11)},
        {"target_shape": (8, 0)},
        {"target_shape": (2**31, 2**31), "source_shape": (2**30, 2**30)},
        {"offset": 2},
        {"offset": 1},
        {"offset": -2},
        {"row_stride": 16},
        {"row_stride": 19},
        {"channels": 2},
        {"channels": 3},
        {"channels": 0},
        {"dtype": "int64"},
        {"dtype": "int32"},
        {"method": "cubic"},
        {"source": memoryview(bytes(41))[1:]},
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any]) -> None:
    call()
    with pytest.raises(UsageError):
        call(**changes)
