"""JPEG lossless, ISO 10918-1 process 14."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from volstream import _native
from volstream.errors import DamagedError, UnsupportedError, VolstreamError

from .lossless_encoder import NARROW, WIDE, Table, encode
from .single_frames import decoded, spec_of

COLOUR = {"photometric": "RGB", "samples_per_pixel": 3}


def image_of(seed: int, shape: tuple[int, ...], precision: int) -> np.ndarray:
    """Noise of all amplitudes: every category of differences occurs."""
    rng = np.random.default_rng(seed)
    steps = rng.integers(-(2**15), 2**15, shape) >> rng.integers(0, 16, shape)
    return (np.cumsum(steps, axis=1) % 2**precision).astype(np.uint16)


@given(
    st.integers(1, 7),
    st.integers(1, 20),
    st.integers(2, 16),
    st.integers(1, 7),
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from(["grey", "interleaved", "separate"]),
    st.sampled_from([WIDE, NARROW]),
    st.integers(0, 2**32 - 1),
)
def test_round_trip(
    rows: int,
    columns: int,
    precision: int,
    predictor: int,
    shift: int,
    restart_rows: int,
    layout: str,
    table: Table,
    seed: int,
) -> None:
    shift = min(shift, precision - 1)
    shape = (rows, columns) if layout == "grey" else (rows, columns, 3)
    image = image_of(seed, shape, precision)
    data = encode(
        image,
        precision,
        predictor=predictor,
        point_transform=shift,
        restart_rows=restart_rows,
        separate_scans=layout == "separate",
        table=table,
    )
    options = {} if layout == "grey" else COLOUR
    spec = spec_of("jpeg-lossless", rows, columns, bits_stored=precision, **options)
    np.testing.assert_array_equal(decoded(spec, data, shape, "uint16"), image >> shift << shift)


def test_signed_values_are_the_same_bits() -> None:
    image = np.random.default_rng(1).integers(-2048, 2048, (8, 9), dtype=np.int16)
    for precision, stored in ((16, image.view(np.uint16)), (12, image.view(np.uint16) & 0xFFF)):
        spec = spec_of("jpeg-lossless", 8, 9, bits_stored=precision, pixel_representation=1)
        np.testing.assert_array_equal(decoded(spec, encode(stored, precision), image.shape, "int16"), image)


@pytest.mark.parametrize("table", [WIDE, NARROW])
def test_difference_of_32768(table: Table) -> None:
    image = np.array([[0, 32768, 0, 32768, 65535, 32767]], np.uint16)
    data = encode(image, 16, table=table)
    np.testing.assert_array_equal(decoded(spec_of("jpeg-lossless", 1, 6), data, image.shape, "uint16"), image)


def test_bytes() -> None:
    image = image_of(3, (12, 10), 8)
    spec = spec_of("jpeg-lossless", 12, 10, 8)
    np.testing.assert_array_equal(decoded(spec, encode(image, 8), image.shape, "uint8"), image)


@pytest.mark.parametrize("tail", [b"", b"\xff\xd9", b"\xff\xd9\0", b"\xff", b"\xff\xff\xff\xd9"])
def test_what_follows_the_last_row_does_not_matter(tail: bytes) -> None:
    image = image_of(4, (5, 6), 12)
    data = encode(image, 12, end=False) + tail
    spec = spec_of("jpeg-lossless", 5, 6, bits_stored=12)
    np.testing.assert_array_equal(decoded(spec, data, image.shape, "uint16"), image)


def test_fill_bytes_and_unknown_segments_are_skipped() -> None:
    image = image_of(5, (5, 6), 12)
    data = encode(image, 12)
    extra = b"\xff\xe0\x00\x04ab" + b"\xff\xfe\x00\x02" + b"\xff\xff"
    spec = spec_of("jpeg-lossless", 5, 6, bits_stored=12)
    np.testing.assert_array_equal(decoded(spec, data[:2] + extra + data[2:], image.shape, "uint16"), image)


@pytest.mark.parametrize("options", [{}, {"restart_rows": 1}, {"predictor": 7}, {"table": NARROW}])
def test_cut_anywhere_is_an_error(options: dict[str, Any]) -> None:
    image = image_of(6, (6, 7), 16)
    data, spec = encode(image, 16, end=False, **options), spec_of("jpeg-lossless", 6, 7)
    for size in range(len(data)):
        with pytest.raises(DamagedError):
            decoded(spec, data[:size], image.shape, "uint16")


@pytest.mark.parametrize("table", [WIDE, NARROW])
@pytest.mark.parametrize("separate", [False, True])
def test_flipped_bits_are_an_error_or_an_image(separate: bool, table: Table) -> None:
    image = image_of(7, (4, 5, 3), 8)
    data = encode(image, 8, separate_scans=separate, restart_rows=2, table=table)
    spec = spec_of("jpeg-lossless", 4, 5, 8, **COLOUR)
    errors = 0
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            decoded(spec, damaged, image.shape, "uint8")
        except VolstreamError:
            errors += 1
    assert errors > 100


def test_probe_and_mismatch() -> None:
    data = encode(image_of(8, (4, 5), 12), 12)
    found = _native.probe(data)
    assert found is not None
    expected = {"codec": "jpeg-lossless", "rows": 4, "columns": 5, "components": 1, "precision": 12}
    assert found | expected == found
    assert _native.probe(b"\xff\xd8\xff\xd9") is None
    with pytest.raises(DamagedError, match=r"4 rows, 5 columns, 1 components; the metadata say 5, 5, 1"):
        decoded(spec_of("jpeg-lossless", 5, 5), data, (5, 5), "uint16")
    with pytest.raises(DamagedError, match="12-bit samples"):
        decoded(spec_of("jpeg-lossless", 4, 5, 8), data, (4, 5), "uint8")


def test_other_processes_and_predictors_are_refused() -> None:
    data = bytearray(encode(image_of(9, (4, 5), 12), 12))
    spec = spec_of("jpeg-lossless", 4, 5)
    lossy = data.replace(b"\xff\xc3", b"\xff\xc1")
    with pytest.raises(UnsupportedError, match="SOF1"):
        decoded(spec, lossy, (4, 5), "uint16")
    scan = data.index(b"\xff\xda")
    data[scan + 7] = 0  # no prediction: only in hierarchical JPEG
    with pytest.raises(DamagedError, match="predictor 0"):
        decoded(spec, data, (4, 5), "uint16")


def test_where_the_sign_is_must_be_known() -> None:
    data = encode(image_of(10, (4, 5), 12), 12)
    spec = spec_of("jpeg-lossless", 4, 5, pixel_representation=1)
    with pytest.raises(DamagedError, match="unsigned 12-bit samples; the metadata say signed 16-bit pixels"):
        decoded(spec, data, (4, 5), "int16")
