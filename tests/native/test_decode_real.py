"""Every file of the real data decodes to the stored values that reference decoders found in it."""

from __future__ import annotations

import csv
import hashlib
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames
from pydicom.pixels import pixel_array

from volstream import _native
from volstream.errors import VolstreamError
from volstream.syntaxes import EXPLICIT, IMPLICIT, SYNTAXES, Syntax

DATA = os.environ.get("VOLSTREAM_TEST_DATA")
pytestmark = pytest.mark.skipif(not DATA, reason="VOLSTREAM_TEST_DATA is not set: no real files to decode")

BUILT_IN = {row["name"]: row for row in _native.codecs() if row["origin"] != "absent"}

Row = dict[str, str]


def table(*states: str) -> dict[str, list[Row]]:
    """The rows of DECODE.tsv whose status starts with one of `states`, by data set."""
    rows: dict[str, list[Row]] = {}
    if DATA:
        with (Path(DATA) / "DECODE.tsv").open() as lines:
            for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
                if row["status"].startswith(states):
                    rows.setdefault(row["file"].partition("/")[0], []).append(row)
    return rows


EXACT, LOSSY, BROKEN = table("ok"), table("lossy"), table("DECODEFAIL")
COLOURED = {
    name: coloured
    for name, rows in EXACT.items()
    if (coloured := [row for row in rows if row["dtype"] == "uint8" and row["shape"].endswith("x3")])
}


def read(row: Row) -> tuple[pydicom.Dataset, Syntax | None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(Path(DATA or "") / "dicom" / row["file"], force=True)
    uid = str(dataset.file_meta.get("TransferSyntaxUID", IMPLICIT if dataset.is_implicit_VR else EXPLICIT))
    return dataset, SYNTAXES.get(uid)


def spec_of(dataset: pydicom.Dataset, codec: str, **options: Any) -> _native.FrameSpec:
    allocated = dataset.BitsAllocated
    # Bytes of a big endian file are in words only if they are called words.
    if codec == "raw-be" and allocated <= 8 and dataset["PixelData"].VR == "OB":
        codec = "raw"
    return _native.FrameSpec(
        codec=codec,
        rows=dataset.Rows,
        columns=dataset.Columns,
        bits_allocated=allocated,
        bits_stored=dataset.BitsStored,
        high_bit=dataset.HighBit,
        pixel_representation=dataset.PixelRepresentation,
        samples_per_pixel=dataset.SamplesPerPixel,
        planar_configuration=dataset.get("PlanarConfiguration", 0),
        **options,
    )


def frames(dataset: pydicom.Dataset, syntax: Syntax) -> Iterator[bytes]:
    count = int(dataset.get("NumberOfFrames") or 1)
    if syntax.encapsulated:
        yield from generate_frames(dataset.PixelData, number_of_frames=count)
    elif count == 1 or dataset.BitsAllocated == 1:
        yield dataset.PixelData
    else:
        size = dataset.Rows * dataset.Columns * dataset.SamplesPerPixel * dataset.BitsAllocated // 8
        for at in range(0, count * size, size):
            yield dataset.PixelData[at : at + size]


def decoded(dataset: pydicom.Dataset, syntax: Syntax, row: Row, photometric: str) -> np.ndarray:
    """All frames, as stored: no rescale; `photometric` RGB leaves colour as it is."""
    out = np.zeros(tuple(map(int, row["shape"].split("x"))), row["dtype"])
    spec = spec_of(dataset, syntax.codec, photometric=photometric)
    count = int(dataset.get("NumberOfFrames") or 1)
    for index, frame in enumerate(frames(dataset, syntax)):
        _native.decode(spec, frame, out, index * (out.nbytes // count), row["dtype"])
    return out


def selected(rows: list[Row]) -> Iterator[tuple[Row, pydicom.Dataset, Syntax]]:
    """Those whose codec is there; the test is skipped, naming the codecs, if none is."""
    missing = set()
    done = 0
    # Of long series of uncompressed slices, all alike, some will do.
    step = 5 if len(rows) > 40 and all(row["transfer_syntax"] in ("ELE", "ILE") for row in rows) else 1
    for row in rows[::step]:
        dataset, syntax = read(row)
        if syntax is None:
            missing.add("retired transfer syntaxes")
            continue
        if syntax.codec not in BUILT_IN or dataset.get("BitsStored", 0) > BUILT_IN[syntax.codec]["max_bits"]:
            missing.add(f"{syntax.codec} of {dataset.get('BitsStored')} bits")
            continue
        done += 1
        yield row, dataset, syntax
    if not done:
        pytest.skip(f"not built in: {', '.join(sorted(missing))}")


@pytest.mark.parametrize("name", EXACT)
def test_lossless_files_give_the_very_values(name: str) -> None:
    for row, dataset, syntax in selected(EXACT[name]):
        if dataset.PhotometricInterpretation == "YBR_FULL_422" and not syntax.encapsulated:
            continue  # the reference has its chrominance repeated: the next test decodes it
        out = decoded(dataset, syntax, row, "RGB" if dataset.SamplesPerPixel == 3 else "MONOCHROME2")
        digest = hashlib.sha256(np.ascontiguousarray(out).astype(out.dtype.newbyteorder("<"))).hexdigest()
        assert digest == row["sha256_of_decoded_stored_values_or_error"], row["file"]


@pytest.mark.parametrize("name", COLOURED)
def test_lossless_colour_becomes_rgb(name: str) -> None:
    for row, dataset, syntax in selected(COLOURED[name]):
        out = decoded(dataset, syntax, row, dataset.PhotometricInterpretation)
        np.testing.assert_array_equal(out, pixel_array(dataset, raw=False), err_msg=row["file"])


@pytest.mark.parametrize("name", LOSSY)
def test_lossy_files_are_close_to_another_decoder(name: str) -> None:
    for row, dataset, syntax in selected(LOSSY[name]):
        out = decoded(dataset, syntax, row, dataset.PhotometricInterpretation)
        if "dcmdjpeg" in row["status"]:  # pydicom's plugins cannot read it; the very same integer DCT made its hash
            assert hashlib.sha256(out).hexdigest() == row["sha256_of_decoded_stored_values_or_error"], row["file"]
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = pixel_array(dataset, raw=False)
        difference = np.abs(out.astype(np.int64) - expected)
        # Standards leave DCT and wavelet arithmetic some freedom, and decoders about one level of it.
        assert difference.max() <= 2, row["file"]
        assert difference.mean() < 0.1, row["file"]


# In badVR.dcm it is the header that is broken.
@pytest.mark.parametrize(
    "row", [row for rows in BROKEN.values() for row in rows if "badVR" not in row["file"]], ids=lambda row: row["file"]
)
def test_broken_files_give_an_error(row: Row) -> None:
    dataset, syntax = read(row)
    assert syntax is not None
    if syntax.codec not in BUILT_IN:
        pytest.skip(f"not built in: {syntax.codec}")
    target = np.zeros((dataset.Rows, dataset.Columns), np.int32)
    spec = spec_of(dataset, syntax.codec)
    with pytest.raises(VolstreamError):
        _native.decode(spec, next(frames(dataset, syntax)), target, 0, "int32")
