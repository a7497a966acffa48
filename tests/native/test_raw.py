"""Uncompressed frames: layouts, byte orders, colour, sizes, files."""

from __future__ import annotations

import itertools
import mmap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.pixels.processing import convert_color_space

from volstream import _native
from volstream.errors import DamagedError, SourceError, UnsupportedError, UsageError

from .single_frames import decoded, spec_of

RNG = np.random.default_rng(7)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 70), st.integers(0, 2**32 - 1))
def test_single_bits_start_anywhere(rows: int, columns: int, first: int, seed: int) -> None:
    bits = np.random.default_rng(seed).integers(0, 2, first + rows * columns + 5, dtype=np.uint8)
    data = np.packbits(bits, bitorder="little")
    spec = spec_of("raw", rows, columns, 1, first_bit=first)
    expected = bits[first : first + rows * columns].reshape(rows, columns)
    np.testing.assert_array_equal(decoded(spec, data, (rows, columns), "uint8"), expected)
    words = np.append(data, np.zeros(data.size % 2, np.uint8)).reshape(-1, 2)[:, ::-1].tobytes()
    big = spec_of("raw-be", rows, columns, 1, first_bit=first)
    np.testing.assert_array_equal(decoded(big, words, (rows, columns), "uint8"), expected)
    with pytest.raises(DamagedError, match=r"bytes of|no pixel data"):
        decoded(spec, data.tobytes()[: (first + rows * columns + 7) // 8 - 1], (rows, columns), "uint8")


def test_big_endian_bytes_are_in_words() -> None:
    # OW, PS3.5 7.3; nine bytes, so that the last is the second of its word
    spec = spec_of("raw-be", 3, 3, 8)
    words = bytes([2, 1, 4, 3, 6, 5, 8, 7, 0, 9])
    np.testing.assert_array_equal(decoded(spec, words, (3, 3), "uint8"), np.arange(1, 10).reshape(3, 3))
    with pytest.raises(DamagedError, match="9 bytes of 10"):
        decoded(spec, words[:9], (3, 3), "uint8")
    # A frame from the middle of a word on, as all but the first may be
    second = spec_of("raw-be", 3, 3, 8, first_bit=8)
    words = bytes([1, 77, 3, 2, 5, 4, 7, 6, 9, 8])
    np.testing.assert_array_equal(decoded(second, words, (3, 3), "uint8"), np.arange(1, 10).reshape(3, 3))
    with pytest.raises(DamagedError, match="8 bytes of 10"):
        decoded(second, words[:8], (3, 3), "uint8")
    for codec, first in (("raw", 8), ("raw-be", 16), ("raw-be", 1)):
        with pytest.raises(UsageError, match="first bit"):
            decoded(spec_of(codec, 3, 3, 8, first_bit=first), words, (3, 3), "uint8")


@pytest.mark.parametrize("bits", [8, 16, 32])
@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("codec", ["raw", "raw-be"])
def test_colour_is_last_whatever_the_planes(bits: int, planar: int, codec: str) -> None:
    image = RNG.integers(0, 2**bits, (5, 6, 3), dtype=np.uint64).astype(f"u{bits // 8}")
    stored = image.transpose(2, 0, 1) if planar else image
    data = np.ascontiguousarray(stored)
    if codec == "raw-be":
        data = data.reshape(-1).view(np.uint16).byteswap() if bits == 8 else data.byteswap()
    spec = spec_of(codec, 5, 6, bits, photometric="RGB", samples_per_pixel=3, planar_configuration=planar)
    np.testing.assert_array_equal(decoded(spec, data.tobytes(), image.shape, f"uint{bits}"), image)


def test_dirty_bits_of_colour_are_masked() -> None:
    image = RNG.integers(0, 4096, (4, 5, 3), dtype=np.uint16)
    spec = spec_of("raw", 4, 5, bits_stored=12, photometric="RGB", samples_per_pixel=3)
    np.testing.assert_array_equal(decoded(spec, image | 0xB000, image.shape, "uint16"), image)


@pytest.mark.parametrize("planar", [0, 1])
def test_ybr_full_becomes_rgb_as_pydicom_does_it(planar: int) -> None:
    # Every chrominance pair with some luminances: all roundings and both clamps.
    cb, cr = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    for luma in (0, 1, 77, 128, 254, 255):
        image = np.stack([np.full_like(cb, luma), cb, cr], axis=-1)
        expected = convert_color_space(image, "YBR_FULL", "RGB")
        data = np.ascontiguousarray(image.transpose(2, 0, 1) if planar else image)
        spec = spec_of("raw", 256, 256, 8, photometric="YBR_FULL", samples_per_pixel=3, planar_configuration=planar)
        np.testing.assert_array_equal(decoded(spec, data, image.shape, "uint8"), expected)


def test_ybr_full_of_16_bits_has_its_centre_at_half_range() -> None:
    grey = np.array([[[1000, 32768, 32768], [65535, 32768, 32768]]], np.uint16)
    spec = spec_of("raw", 1, 2, photometric="YBR_FULL", samples_per_pixel=3)
    assert decoded(spec, grey, (1, 2, 3), "uint16").tolist() == [[[1000] * 3, [65535] * 3]]


def test_halved_chrominance() -> None:
    # PS3.3 C.7.6.3.1.2: Y1 Y2 Cb Cr for each two pixels
    data = RNG.integers(0, 256, (4, 3, 4), dtype=np.uint8)
    image = np.empty((4, 6, 3), np.uint8)
    image[:, 0::2, 0], image[:, 1::2, 0] = data[..., 0], data[..., 1]
    image[:, :, 1:] = np.repeat(data[..., 2:], 2, axis=1)
    spec = spec_of("raw", 4, 6, 8, photometric="YBR_FULL_422", samples_per_pixel=3)
    expected = convert_color_space(image, "YBR_FULL", "RGB")
    np.testing.assert_array_equal(decoded(spec, data, image.shape, "uint8"), expected)
    odd = spec_of("raw", 4, 5, 8, photometric="YBR_FULL_422", samples_per_pixel=3)
    with pytest.raises(UnsupportedError, match="5 columns"):
        decoded(odd, data, (4, 5, 3), "uint8")


@pytest.mark.parametrize("photometric", ["YBR_ICT", "YBR_RCT"])
def test_transforms_of_jpeg_2000_do_not_exist_uncompressed(photometric: str) -> None:
    spec = spec_of("raw", 1, 1, 8, photometric=photometric, samples_per_pixel=3)
    with pytest.raises(UnsupportedError, match="JPEG 2000"):
        decoded(spec, bytes(4), (1, 1, 3), "uint8")


def test_colour_of_64_bits_is_refused() -> None:
    spec = spec_of("raw", 1, 1, 64, bits_stored=8, photometric="RGB", samples_per_pixel=3)
    with pytest.raises(UnsupportedError, match="8 bits in 64"):
        decoded(spec, bytes(24), (1, 1, 3), "uint8")


@pytest.fixture(params=["memory", "file"])
def decode(request: pytest.FixtureRequest, tmp_path: Path):
    """Decode bytes from memory, or from the middle of a file."""

    def from_file(spec: _native.FrameSpec, data: bytes, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        path = tmp_path / "frame"
        path.write_bytes(b"\xff" * 77 + data + b"\xff")
        out = np.zeros(shape, dtype)
        low, high = _native.decode_file(spec, str(path), [(77, len(data))], out, 0, dtype)
        assert (low, high) == (out.min(), out.max())
        return out

    return from_file if request.param == "file" else decoded


def test_sizes(decode) -> None:
    image = RNG.integers(0, 256, (3, 3), dtype=np.uint8)
    data, spec = image.tobytes(), spec_of("raw", 3, 3, 8)
    for padding in (b"", b"\0", b"\x55", bytes(5)):
        np.testing.assert_array_equal(decode(spec, data + padding, (3, 3), "uint8"), image)
    with pytest.raises(DamagedError, match=r"11 bytes where .* make 9"):
        decode(spec, data + b"\0\1", (3, 3), "uint8")
    for size in range(9):
        with pytest.raises(DamagedError, match=rf"{size} bytes of 9|no pixel data"):
            decode(spec, data[:size], (3, 3), "uint8")


@pytest.mark.parametrize("codec", ["raw", "raw-be"])
@pytest.mark.parametrize("signed", [0, 1])
def test_64_bit_integers(codec: str, signed: int, decode) -> None:
    image = RNG.integers(0, 2**53, (70, 301)) - (2**52 if signed else 0)
    data = image.astype("<i8" if codec == "raw" else ">i8").tobytes()
    spec = spec_of(codec, 70, 301, 64, pixel_representation=signed)
    np.testing.assert_array_equal(decode(spec, data, image.shape, "float64"), image)


@pytest.mark.parametrize("codec", ["raw", "raw-be"])
def test_large_frames_come_in_blocks(codec: str, decode) -> None:
    image = RNG.integers(-2000, 2000, (301, 997), dtype=np.int16)
    data = image.astype("<i2" if codec == "raw" else ">i2").tobytes()
    spec = spec_of(codec, 301, 997, pixel_representation=1, intercept=-3)
    np.testing.assert_array_equal(decode(spec, data, image.shape, "int16"), image - 3)


def test_any_contiguous_buffer_will_do(tmp_path: Path) -> None:
    image = RNG.integers(0, 65536, (7, 9), dtype=np.uint16)
    path = tmp_path / "frame"
    path.write_bytes(image.tobytes())
    spec = spec_of("raw", 7, 9)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        for data in (mapped, image, image.tobytes(), bytearray(image), memoryview(image)):
            target = bytearray(image.nbytes)
            _native.decode(spec, data, target, 0, "uint16")
            assert target == image.tobytes()
    with pytest.raises(UsageError, match="contiguous"):
        _native.decode(spec, image[:, ::2], bytearray(126), 0, "uint16")
    with pytest.raises(UsageError, match="buffer"):
        _native.decode(spec, "text", bytearray(126), 0, "uint16")


def test_data_need_no_alignment() -> None:
    image = RNG.integers(0, 65536, (7, 9), dtype=np.uint16)
    data = memoryview(b"?" + image.tobytes())[1:]
    np.testing.assert_array_equal(decoded(spec_of("raw", 7, 9), data, image.shape, "uint16"), image)


def test_fragments_of_a_file_are_joined(tmp_path: Path) -> None:
    image = RNG.integers(0, 65536, (4, 4), dtype=np.uint16)
    data = image.tobytes()
    path = tmp_path / "fragments"
    path.write_bytes(data[20:] + b"gap" + data[:20])
    out = np.zeros((4, 4), np.uint16)
    _native.decode_file(spec_of("raw", 4, 4), str(path), [(15, 20), (0, 12)], out, 0, "uint16")
    np.testing.assert_array_equal(out, image)


def test_a_file_that_is_too_short_is_named_with_numbers(tmp_path: Path) -> None:
    path = tmp_path / "short"
    path.write_bytes(bytes(100))
    out = np.zeros((4, 4), np.uint16)
    spec = spec_of("raw", 4, 4)
    with pytest.raises(DamagedError, match="the file has 100 bytes, the frame ends at byte 122"):
        _native.decode_file(spec, str(path), [(90, 32)], out, 0, "uint16")
    with pytest.raises(DamagedError, match="the file has 100 bytes"):
        _native.decode_file(spec, str(path), [(2**63 - 1, 2**63 - 1)], out, 0, "uint16")
    with pytest.raises(DamagedError, match="fragment offset"):
        _native.decode_file(spec, str(path), [(-1, 32)], out, 0, "uint16")
    with pytest.raises(DamagedError, match=r"no pixel data|0 bytes"):
        _native.decode_file(spec, str(path), [], out, 0, "uint16")


def test_what_follows_a_frame_in_its_file_is_padding_or_an_error(tmp_path: Path) -> None:
    path = tmp_path / "padded"
    image = RNG.integers(0, 65536, (4, 4), dtype=np.uint16)
    out = np.zeros((4, 4), np.uint16)
    spec, padding = spec_of("raw", 4, 4), 300_001  # more than is read at a time
    path.write_bytes(image.tobytes() + bytes(padding))
    _native.decode_file(spec, str(path), [(0, 32 + padding)], out, 0, "uint16")
    np.testing.assert_array_equal(out, image)
    for place in (0, 131072, padding - 1):
        path.write_bytes(image.tobytes() + bytes(place) + b"\1" + bytes(padding - place - 1))
        with pytest.raises(DamagedError, match="300033 bytes where rows, columns and bits allocated make 32"):
            _native.decode_file(spec, str(path), [(0, 32 + padding)], out, 0, "uint16")


def test_a_frame_is_not_longer_than_its_file(tmp_path: Path) -> None:
    path = tmp_path / "repeated"
    path.write_bytes(bytes(100))
    out = np.zeros((10, 10), np.uint16)
    with pytest.raises(DamagedError, match="longer than the file's 100 bytes"):
        _native.decode_file(spec_of("raw", 10, 10), str(path), [(0, 100), (0, 100)], out, 0, "uint16")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    out = np.zeros((1, 1), np.uint16)
    spec = spec_of("raw", 1, 1)
    with pytest.raises(SourceError, match="No such file"):
        _native.decode_file(spec, str(tmp_path / "absent"), [(0, 2)], out, 0, "uint16")
    with pytest.raises(SourceError, match="directory"):
        _native.decode_file(spec, str(tmp_path), [(0, 2)], out, 0, "uint16")
    with pytest.raises(SourceError, match="null"):
        _native.decode_file(spec, "a\0b", [(0, 2)], out, 0, "uint16")


@given(st.integers(1, 9), st.integers(1, 40), st.lists(st.integers(0, 10_000), max_size=5))
def test_pieces_decode_like_the_whole(rows: int, columns: int, places: list[int]) -> None:
    pixels = np.arange(rows * columns, dtype=np.int16).reshape(rows, columns)
    data = pixels.tobytes()
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    pieces = tuple(memoryview(data)[a:b] for a, b in itertools.pairwise(edges))
    spec = _native.FrameSpec(
        codec="raw", rows=rows, columns=columns, bits_allocated=16, bits_stored=16, high_bit=15, pixel_representation=1
    )
    out = np.zeros_like(pixels)
    assert _native.decode(spec, pieces, out, 0, "int16") == (pixels.min(), pixels.max())
    np.testing.assert_array_equal(out, pixels)
    with pytest.raises(DamagedError):
        _native.decode(spec, pieces[:-1], out, 0, "int16")
    with pytest.raises(UsageError):
        _native.decode(spec, (1, 2), out, 0, "int16")  # type: ignore[arg-type]
