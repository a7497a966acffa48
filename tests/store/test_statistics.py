"""Histograms and windows: of exact voxels only, at any time, the same however the slices came."""

from __future__ import annotations

import math
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from volstream.store.segment import Segment
from volstream.store.states import FULL, SUB_RESOLUTION
from volstream.store.volume import Volume
from volstream.store.window import default_window

SHAPE = (6, 8, 9)


def images(dtype: str) -> np.ndarray:
    rng = np.random.default_rng(3)
    if dtype.startswith("float"):
        return rng.normal(size=SHAPE).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, SHAPE, dtype, endpoint=True)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64"])
@given(order=st.permutations(range(6)), stop=st.integers(0, 6))
def test_it_counts_what_is_exact_at_the_moment(dtype: str, order: list[int], stop: int) -> None:
    voxels = images(dtype)
    with Volume(Segment.create(SHAPE, dtype, {}, slices=6), None) as volume, closing(volume.segment.writer()) as writer:
        for index in order[:stop]:
            writer.put(index, voxels[index], FULL, float(voxels[index].min()), float(voxels[index].max()))
            volume.histogram()  # looks at some slices before the others are there
        for index in order[stop:]:
            writer.put(index, voxels[index], SUB_RESOLUTION, 0, 0)
        found = volume.histogram(16)
        assert (found.slices, found.total, found.is_complete) == (stop, 6, stop == 6)
        if not stop:
            assert not found.counts.any()
            return
        exact = voxels[sorted(order[:stop])]
        counts, edges = np.histogram(exact.astype(np.float64), 16, (float(exact.min()), float(exact.max())))
        np.testing.assert_allclose(found.edges, edges)
        np.testing.assert_array_equal(found.counts, counts)


def test_nan_is_not_counted() -> None:
    with Volume(Segment.create((1, 2, 2), "float32", {}, slices=1), None) as volume:
        with closing(volume.segment.writer()) as writer:
            writer.put(0, np.array([0, 1, math.nan, 1], np.float32), FULL, 0, 1)
        assert volume.histogram(2).counts.tolist() == [1, 2]


def test_one_value_only() -> None:
    with Volume(Segment.create((1, 2, 2), "int16", {}, slices=1), None) as volume:
        with closing(volume.segment.writer()) as writer:
            writer.put(0, np.full((2, 2), 7, np.int16), FULL, 7, 7)
        assert volume.histogram(4).counts.sum() == 4


def meta(*windows: tuple[float, float] | None, **others: object) -> dict:
    return {"images": [{"window": window} for window in windows], **others}


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        (meta((40, 400), modality="CT", units="HU"), (40, 400)),
        (meta((40, 400), (40, 400), (3000, 10000), modality="CT", units="HU"), (40, 400)),
        (meta(None, modality="CT", units="HU"), (40, 400)),
        (meta((50, 100), (500, 1000), modality="PT", units="BQML"), (500, 1000)),
        (meta((50, 100), modality="PT", units="SUVbw"), (2.5, 5)),
        (meta(None, modality="MR", units=""), (50, 100)),
        (meta((5, 0), modality="MR", units=""), (50, 100)),
        ({}, (50, 100)),
    ],
)
def test_the_window_is_that_of_all_images(metadata: dict, expected: tuple[float, float]) -> None:
    assert default_window(metadata, (0.0, 100.0)) == expected


def test_each_image_counts_not_each_kind() -> None:
    metadata = meta((40, 400), (3000, 100), (50, 300), modality="CT", units="HU")
    metadata["slices"] = {"images": [0, 0, 0, 1, None, 2]}
    assert default_window(metadata, (0, 1)) == (40, 400)


def test_nothing_tells_yet() -> None:
    assert default_window(meta(None, modality="MR"), (math.nan, math.nan)) is None
