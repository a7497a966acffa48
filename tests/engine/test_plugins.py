"""What the native core has no decoder for goes through pydicom's plugins, in a child process, to the same voxels."""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path

import numpy as np
import pydicom
import pytest

import volstream
from volstream import UnsupportedError, _native
from volstream import syntaxes as ts
from volstream.api import inspect
from volstream.engine import plugins
from volstream.engine.decode import spec_fields
from volstream.engine.plugins import decode_stored
from volstream.records import IDENTITY, PixelFormat
from volstream.samples import available_syntaxes, write_series

needs_imagecodecs = pytest.mark.skipif(
    importlib.util.find_spec("imagecodecs") is None, reason="JPEG XL needs imagecodecs"
)


@needs_imagecodecs
def test_jpeg_xl(tmp_path: Path) -> None:
    truth = write_series(tmp_path, slices=4, rows=40, columns=56, transfer_syntax=ts.JPEG_XL_LOSSLESS)
    with volstream.load(tmp_path) as volume:
        np.testing.assert_array_equal(volume.array, truth.array)


@pytest.mark.parametrize(
    "syntax", [ts.JPEG_2000_LOSSLESS, ts.JPEG_LS, ts.JPEG_LOSSLESS_SV1, ts.HTJ2K_LOSSLESS, ts.JPEG_BASELINE]
)
@pytest.mark.parametrize("signed", [False, True])
def test_plugins_agree_with_pydicom(syntax: str, signed: bool, tmp_path: Path) -> None:
    """Every frame may take the way through the plugins, with the same result."""
    if syntax not in available_syntaxes() or not plugins.available(syntax):
        pytest.skip(f"no encoder, or no plugin, for {syntax} is installed")
    if signed and syntax == ts.JPEG_BASELINE:
        pytest.skip("baseline JPEG has no signed samples")
    truth = write_series(tmp_path, slices=2, rows=40, columns=56, transfer_syntax=syntax, signed=signed)
    for file in truth.files:
        dataset = pydicom.dcmread(file)
        pixel = PixelFormat(
            dataset.Rows, dataset.Columns, dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit,
            dataset.PixelRepresentation,
        )  # fmt: skip
        spec, stored = decode_stored(
            spec_fields(pixel, IDENTITY, ts.SYNTAXES[syntax].codec, 0),
            pydicom.encaps.get_frame(dataset.PixelData, 0, number_of_frames=1),
            syntax,
        )
        out = np.empty((dataset.Rows, dataset.Columns), np.int32)
        _native.decode(_native.FrameSpec(**spec), stored, out, 0, "int32")
        np.testing.assert_allclose(out, dataset.pixel_array, atol=0)


def test_twelve_bit_jpeg(test_data: Path) -> None:
    """libjpeg-turbo 2 has 8 bits only: the plugin takes over; libjpeg-turbo 3 does it itself."""
    if not plugins.available(ts.JPEG_EXTENDED):
        pytest.skip("no plugin for JPEG Extended is installed")
    with (test_data / "DECODE.tsv").open() as lines:
        rows = [row for row in csv.DictReader(lines, delimiter="\t") if row["transfer_syntax"] == "JPGext"]
    assert rows
    for row in rows:
        with volstream.load(test_data / "dicom" / row["file"]) as volume:
            (rescale,) = {slot.rescale for slot in inspect(test_data / "dicom" / row["file"]).slots}
            stored = (volume.array.astype(float) - rescale.intercept) / rescale.slope
            assert stored.mean() == pytest.approx(float(row["mean"]), abs=0.5), row["file"]
            assert abs(stored.max() - float(row["max"])) <= 4, row["file"]


def test_a_syntax_that_nothing_decodes_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = spec_fields(PixelFormat(4, 4, 16, 16, 15), IDENTITY, "plugin", 0)
    monkeypatch.setitem(__import__("sys").modules, "imagecodecs", None)
    with pytest.raises(UnsupportedError, match="imagecodecs"):
        decode_stored(spec, b"", ts.JPEG_XL)
