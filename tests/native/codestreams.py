"""Frames and their codestreams, made by encoders that are not ours, and the shortest way to decode one natively."""

from __future__ import annotations

from typing import Any

import imagecodecs
import jpeg_ls
import numpy as np
from hypothesis import reject
from hypothesis import strategies as st
from numpy.typing import NDArray

from volstream import _native

Array = NDArray[Any]

CODECS = {row["name"]: row for row in _native.codecs()}
CONTENTS = ("noise", "gradient", "constant", "extremes")


def make_frame(
    rows: int, columns: int, bits: int, *, signed: bool = False, content: str = "noise", seed: int = 0, samples: int = 1
) -> Array:
    """A frame whose values use `bits` bits, in the smallest type that holds them."""
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    shape = (rows, columns) if samples == 1 else (rows, columns, samples)
    random = np.random.default_rng(seed)
    if content == "noise":
        values = random.integers(low, high, size=shape, endpoint=True)
    elif content == "gradient":
        ramp = np.add.outer(np.arange(rows), np.arange(columns)).astype(float)
        ramp = low + ramp / max(ramp.max(), 1) * (high - low)
        values = ramp if samples == 1 else np.stack([ramp, ramp[::-1], ramp[:, ::-1]], axis=-1)
    elif content == "constant":
        values = np.full(shape, random.integers(low, high, endpoint=True))
    else:
        values = random.choice([low, high], size=shape)
    return np.asarray(values).astype(("int" if signed else "uint") + ("8" if bits <= 8 else "16"))


def encode(codec: str, frame: Array, bits: int) -> bytes:
    """`frame` without loss, as `codec` stores it (JPEG: as well as it can)."""
    if codec == "jpeg-2000":
        try:
            return bytes(
                imagecodecs.jpeg2k_encode(frame, level=0, codecformat="j2k", bitspersample=bits, reversible=True)
            )
        except imagecodecs.Jpeg2kError:  # it gives up on some tiny frames of few bits
            reject()
    if codec == "htj2k":
        return bytes(imagecodecs.htj2k_encode(frame, reversible=True))
    if codec == "jpeg-ls":
        return encode_jpeg_ls(frame, bits)
    assert codec == "jpeg"
    return bytes(imagecodecs.jpeg8_encode(frame, level=95, bitspersample=bits))


def encode_jpeg_ls(frame: Array, bits: int, *, near: int = 0, interleave: int | None = None) -> bytes:
    samples = 1 if frame.ndim == 2 else 3
    # JPEG-LS knows no sign: the bits of a negative value are stored.
    stored = frame.astype(f"u{frame.dtype.itemsize}") & ((1 << bits) - 1)
    planar = np.moveaxis(stored, -1, 0) if samples == 3 and interleave == 0 else stored  # component after component
    mode = {"interleave_mode": 2 if interleave is None else interleave} if samples == 3 else {}
    pixels = np.ascontiguousarray(planar).tobytes()
    try:
        return bytes(jpeg_ls.encode_buffer(pixels, *frame.shape[:2], samples, bits, near, **mode))
    except RuntimeError:  # its buffer is too small for what grows by encoding
        return bytes(imagecodecs.jpegls_encode(stored, level=near))


def spec(codec: str, frame: Array, bits: int, **changes: Any) -> _native.FrameSpec:
    samples = 1 if frame.ndim == 2 else 3
    values: dict[str, Any] = {
        "codec": codec,
        "rows": frame.shape[0],
        "columns": frame.shape[1],
        "bits_allocated": 8 * frame.dtype.itemsize,
        "bits_stored": bits,
        "high_bit": bits - 1,
        "pixel_representation": int(frame.dtype.kind == "i"),
        "samples_per_pixel": samples,
        "photometric": "MONOCHROME2" if samples == 1 else "RGB",
    }
    return _native.FrameSpec(**(values | changes))


def decode(codec: str, data: bytes, like: Array, bits: int, **changes: Any) -> Array:
    """Decode into an array of `like`'s type and (after `reduce`) shape, with a guard around it."""
    factor = 1 << changes.get("reduce", 0)
    shape = (-(-like.shape[0] // factor), -(-like.shape[1] // factor), *like.shape[2:])
    guard = 64
    size = int(np.prod(shape)) * like.dtype.itemsize
    buffer = np.full(size + 2 * guard, 0xA5, np.uint8)
    low, high = _native.decode(spec(codec, like, bits, **changes), data, buffer, guard, like.dtype.name)
    assert (buffer[:guard] == 0xA5).all()
    assert (buffer[-guard:] == 0xA5).all()
    out = buffer[guard:-guard].view(like.dtype).reshape(shape)
    assert (low, high) == (out.min(), out.max())
    return out


@st.composite
def frames(
    draw: st.DrawFn, bits: st.SearchStrategy[int], signed: bool = True, colour: bool = True
) -> tuple[Array, int]:
    """A small frame and how many bits its values use."""
    width = draw(bits)
    samples = draw(st.sampled_from([1, 3])) if colour else 1
    return make_frame(
        draw(st.integers(1, 70)),
        draw(st.integers(1, 70)),
        width,
        signed=signed and samples == 1 and draw(st.booleans()),
        content=draw(st.sampled_from(CONTENTS)),
        seed=draw(st.integers(0, 99)),
        samples=samples,
    ), width
