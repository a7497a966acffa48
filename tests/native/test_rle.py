"""RLE, PS3.5 Annex G."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.pixels.processing import convert_color_space

from volstream.errors import DamagedError, UnsupportedError

from .single_frames import decoded, spec_of


def pack(data: bytes, rng: np.random.Generator) -> bytes:
    """One of the many legal encodings of `data`: literals and runs of random lengths, no-operations between them."""
    out, at = bytearray(), 0
    while at < len(data):
        length = int(rng.integers(1, 129))
        piece = data[at : at + length]
        if len(set(piece)) == 1 and len(piece) > 1:
            out += bytes([257 - len(piece), piece[0]])
        else:
            same = next((i for i in range(1, len(piece)) if piece[i] != piece[0]), 1)
            piece = piece[:same] if same > 2 else piece
            out += bytes([257 - same, piece[0]]) if same > 2 else bytes([len(piece) - 1]) + piece
        at += len(piece)
        if rng.integers(8) == 0:
            out.append(128)
    return bytes(out) + bytes(len(out) % 2)


def encode(image: np.ndarray, rng: np.random.Generator) -> bytes:
    samples = image.reshape(*image.shape[:2], -1)
    parts = [
        pack(np.ascontiguousarray(samples[..., c]).astype(f">u{image.itemsize}").tobytes()[b :: image.itemsize], rng)
        for c in range(samples.shape[2])
        for b in range(image.itemsize)
    ]
    offsets = np.zeros(16, "<u4")
    offsets[0] = len(parts)
    offsets[1 : len(parts) + 1] = 64 + np.cumsum([0] + [len(part) for part in parts])[:-1]
    return offsets.tobytes() + b"".join(parts)


def image_of(rng: np.random.Generator, shape: tuple[int, ...], bits: int) -> np.ndarray:
    noise = rng.integers(0, 2**bits, shape, dtype=np.uint64).astype(f"u{bits // 8}")
    calm = rng.random((shape[0], *[1] * (len(shape) - 1))) < 0.3  # rows of one value: long runs
    return np.where(calm | (rng.random(shape) < 0.5), noise.flat[0], noise)


@given(st.integers(1, 9), st.integers(1, 150), st.sampled_from([8, 16, 32]), st.booleans(), st.integers(0, 2**32 - 1))
def test_round_trip(rows: int, columns: int, bits: int, colour: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = image_of(rng, (rows, columns, 3) if colour else (rows, columns), bits)
    options = {"photometric": "RGB", "samples_per_pixel": 3, "planar_configuration": 1} if colour else {}
    spec = spec_of("rle", rows, columns, bits, **options)
    np.testing.assert_array_equal(decoded(spec, encode(image, rng), image.shape, f"uint{bits}"), image)


def test_ybr_is_converted() -> None:
    image = image_of(np.random.default_rng(3), (20, 30, 3), 8)
    spec = spec_of("rle", 20, 30, 8, photometric="YBR_FULL", samples_per_pixel=3)
    data = encode(image, np.random.default_rng(3))
    expected = convert_color_space(image, "YBR_FULL", "RGB")
    np.testing.assert_array_equal(decoded(spec, data, image.shape, "uint8"), expected)


def test_cut_anywhere_is_an_error() -> None:
    rng = np.random.default_rng(5)
    image = image_of(rng, (9, 31), 16)
    data, spec = encode(image, rng), spec_of("rle", 9, 31)
    least = len(data)
    for size in range(len(data)):
        try:
            out = decoded(spec, data[:size], image.shape, "uint16")
        except DamagedError:
            least = len(data)
        else:  # only padding may be missing
            np.testing.assert_array_equal(out, image)
            least = min(least, size)
    assert len(data) - least <= 3


def test_flipped_bits_are_an_error_or_an_image() -> None:
    rng = np.random.default_rng(6)
    image = image_of(rng, (9, 31), 16)
    data, spec = encode(image, rng), spec_of("rle", 9, 31)
    errors = 0
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            decoded(spec, damaged, image.shape, "uint16")
        except DamagedError:
            errors += 1
    assert errors > 100


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([1, 64], "1 RLE segments; the metadata make 2"),
        ([16, 64], "16 RLE segments"),
        ([2, 64, 4000000000], "lies at bytes 64 to 4000000000 of 80"),
        ([2, 70, 66], "lies at bytes 70 to 66"),
        ([2, 0, 64], "lies at bytes 0 to 64"),
        ([2, 64, 64], "ends before"),
    ],
)
def test_headers_that_lie(words: list[int], message: str) -> None:
    header = np.zeros(16, "<u4")
    header[: len(words)] = words
    with pytest.raises(DamagedError, match=message):
        decoded(spec_of("rle", 4, 4), header.tobytes() + bytes(16), (4, 4), "uint16")


def test_more_pixels_than_the_metadata_say() -> None:
    rng = np.random.default_rng(8)
    data = encode(image_of(rng, (9, 31), 8), rng)
    with pytest.raises(DamagedError, match="more than the 8 rows of 31"):
        decoded(spec_of("rle", 8, 31, 8), data, (8, 31), "uint8")


def test_single_bits_are_not_run_length_encoded() -> None:
    with pytest.raises(UnsupportedError):
        decoded(spec_of("rle", 8, 8, 1), bytes(100), (8, 8), "uint8")
