"""The main job against a real server: Orthanc with its DICOMweb plugin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import volstream
from volstream import syntaxes as ts
from volstream.samples import available_syntaxes, write_series

from .conftest import Orthanc

#: What this server hands out as stored. HTJ2K it answers with 500 (it cannot transcode it); see below.
SYNTAXES = [ts.IMPLICIT, ts.EXPLICIT, ts.RLE, ts.JPEG_LOSSLESS_SV1, ts.JPEG_LS, ts.JPEG_2000_LOSSLESS, ts.JPEG_2000]


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_ct_in_every_syntax(syntax: str, orthanc: Orthanc, tmp_path: Path) -> None:
    if syntax not in available_syntaxes():
        pytest.skip(f"no encoder for {syntax} is installed")
    truth = write_series(tmp_path, slices=7, rows=64, columns=48, transfer_syntax=syntax, seed=SYNTAXES.index(syntax))
    (url,) = orthanc.store(tmp_path)
    with volstream.load(url) as volume:
        np.testing.assert_allclose(volume.array, truth.array, atol=truth.tolerance)
        np.testing.assert_allclose(volume.affine, truth.affine, atol=1e-6)
        assert volume.dtype == np.int16
        assert volume.units == "HU"


def test_htj2k_is_right_or_a_named_error(orthanc: Orthanc, tmp_path: Path) -> None:
    truth = write_series(tmp_path, slices=3, rows=64, columns=48, transfer_syntax=ts.HTJ2K_RPCL, seed=77)
    (url,) = orthanc.store(tmp_path)
    with volstream.load(url) as volume:
        np.testing.assert_array_equal(volume.array, truth.array)


def test_a_pet_with_a_slope_per_slice(orthanc: Orthanc, tmp_path: Path) -> None:
    truth = write_series(tmp_path, kind="pet", slices=9, rows=50, columns=60)
    (url,) = orthanc.store(tmp_path)
    with volstream.load(url) as volume:
        np.testing.assert_array_equal(volume.array, truth.array)
        assert (volume.dtype, volume.units) == (np.float32, "BQML")


def test_an_enhanced_multiframe_object(orthanc: Orthanc, tmp_path: Path) -> None:
    truth = write_series(tmp_path, slices=9, rows=50, columns=60, enhanced=True, seed=5)
    (url,) = orthanc.store(tmp_path)
    with volstream.load(url) as volume:
        np.testing.assert_array_equal(volume.array, truth.array)
        np.testing.assert_allclose(volume.affine, truth.affine, atol=1e-6)


def test_many_small_images_in_one_answer(orthanc: Orthanc, tmp_path: Path) -> None:
    truth = write_series(tmp_path, slices=70, rows=32, columns=32, seed=70)
    (url,) = orthanc.store(tmp_path)
    for retrieve in ("auto", "frames"):
        with volstream.load(url, retrieve=retrieve) as volume:
            np.testing.assert_array_equal(volume.array, truth.array)


@pytest.mark.parametrize("stages", ["coverage", "sparse", "interleaved", "auto"])
@pytest.mark.parametrize("syntax", [ts.EXPLICIT, ts.JPEG_2000_LOSSLESS, ts.HTJ2K_RPCL])
def test_in_stages_though_it_knows_no_ranges(stages: str, syntax: str, orthanc: Orthanc, tmp_path: Path) -> None:
    if syntax not in available_syntaxes():
        pytest.skip(f"no encoder for {syntax} is installed")
    truth = write_series(tmp_path, slices=9, rows=96, columns=80, transfer_syntax=syntax, seed=9)
    (url,) = orthanc.store(tmp_path)
    with volstream.open(url, stages=stages) as volume:
        volume.prioritize([7, 1])
        volume.wait(timeout=60)
        np.testing.assert_array_equal(volume.array, truth.array)


def test_a_kept_series_is_right_while_it_grows(orthanc: Orthanc, tmp_path: Path) -> None:
    truth = write_series(tmp_path / "ct", slices=6, rows=32, columns=40, seed=66)
    later = tmp_path / "later"
    later.mkdir()
    last = truth.files[-1].rename(later / "last.dcm")
    (url,) = orthanc.store(tmp_path / "ct")
    for _ in range(2):
        with volstream.load(url, cache_dir=tmp_path / "cache") as volume:
            np.testing.assert_array_equal(volume.array, truth.array[:-1])
    orthanc.store(last.parent)
    for _ in range(2):
        with volstream.load(url, cache_dir=tmp_path / "cache") as volume:
            np.testing.assert_array_equal(volume.array, truth.array)


def test_a_series_that_is_not_there_is_named(orthanc: Orthanc) -> None:
    with pytest.raises(volstream.SourceError) as raised:
        volstream.load(f"{orthanc.url}/studies/1.2.3/series/4.5.6")
    assert "4.5.6" in str(raised.value)
