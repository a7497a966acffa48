"""Codestreams of more bits than are stored: lossy overshoot is clamped, foreign bits of lossless ones are masked."""

from __future__ import annotations

from typing import Any

import imagecodecs
import numpy as np
import pytest

from .codestreams import CODECS, Array, decode, encode, encode_jpeg_ls


def edges(low: int, high: int, dtype: Any, samples: int = 1) -> Array:
    """Noise of the two ends of a range: what is lossily made of it lies beyond them in many pixels."""
    shape = (64, 64) if samples == 1 else (64, 64, samples)
    return np.random.default_rng(0).choice(np.array([low, high], dtype), size=shape)


def lossy(codec: str, frame: Array) -> tuple[bytes, Array]:
    """`frame` with loss, in all the bits of its type, and what another decoder makes of that."""
    if codec == "jpeg-2000":
        data = imagecodecs.jpeg2k_encode(frame, level=40, codecformat="j2k", reversible=False)
        return bytes(data), imagecodecs.jpeg2k_decode(data)
    if codec == "htj2k":
        data = imagecodecs.htj2k_encode(frame, level=0.05, reversible=False)
        return bytes(data), imagecodecs.htj2k_decode(data)
    if codec == "jpeg-ls":
        data = encode_jpeg_ls(frame, 8 * frame.dtype.itemsize, near=3)
        return data, imagecodecs.jpegls_decode(data)
    data = imagecodecs.jpeg8_encode(frame, level=70)
    return bytes(data), imagecodecs.jpeg8_decode(data)


def needs(codec: str) -> None:
    if CODECS[codec]["origin"] == "absent":
        pytest.skip(f"the {codec} decoder is not built in")


@pytest.mark.parametrize("codec", ["jpeg", "jpeg-ls", "jpeg-2000", "htj2k"])
def test_lossy_overshoot_is_clamped_to_the_stored_range(codec: str) -> None:
    needs(codec)
    frame = edges(0, 63, np.uint8)
    data, reference = lossy(codec, frame)
    assert (reference > 63).sum() > 100
    out = decode(codec, data, frame, 6).astype(int)
    assert np.abs(out - np.clip(reference, 0, 63)).max() <= 1


@pytest.mark.parametrize("codec", ["jpeg-2000", "htj2k"])
def test_signed_lossy_overshoot_is_clamped_at_both_ends(codec: str) -> None:
    needs(codec)
    frame = edges(-2048, 2047, np.int16)
    data, reference = lossy(codec, frame)
    assert (reference > 2047).sum() > 100
    assert (reference < -2048).sum() > 100
    out = decode(codec, data, frame, 12).astype(int)
    assert np.abs(out - np.clip(reference.astype(int), -2048, 2047)).max() <= 1


def test_lossy_overshoot_of_colour_is_clamped() -> None:
    needs("jpeg-ls")
    frame = edges(0, 63, np.uint8, samples=3)
    data, reference = lossy("jpeg-ls", frame)
    assert (reference > 63).any()
    np.testing.assert_array_equal(decode("jpeg-ls", data, frame, 6), np.clip(reference, 0, 63))


def test_lossy_overshoot_above_a_high_bit_is_clamped_before_the_shift() -> None:
    needs("jpeg-ls")
    frame = edges(0, 63, np.uint8)
    data, reference = lossy("jpeg-ls", frame)
    out = decode("jpeg-ls", data, frame, 4, high_bit=5)
    np.testing.assert_array_equal(out, np.clip(reference, 0, 63) >> 2)


def test_lossy_bits_of_a_sign_that_the_codestream_does_not_know_are_masked() -> None:
    needs("jpeg-ls")
    values = np.random.default_rng(1).integers(-32, 32, size=(64, 64)).astype(np.int8)
    data = encode_jpeg_ls(values.astype(np.uint8) & 63, 8, near=1)
    reference = imagecodecs.jpegls_decode(data)
    assert (reference == 64).any()  # of 63, which is -1: the mask makes it 0, a clamp would make it 31
    expected = ((reference.astype(int) & 63) ^ 32) - 32
    np.testing.assert_array_equal(decode("jpeg-ls", data, values, 6), expected)


@pytest.mark.parametrize("codec", ["jpeg-ls", "jpeg-2000", "htj2k"])
def test_lossless_bits_above_the_stored_ones_are_masked(codec: str) -> None:
    needs(codec)
    frame = np.random.default_rng(2).integers(0, 256, size=(64, 64)).astype(np.uint8)
    np.testing.assert_array_equal(decode(codec, encode(codec, frame, 8), frame, 6), frame & 63)
