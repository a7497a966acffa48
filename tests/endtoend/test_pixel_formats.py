"""Every layout of uncompressed pixels from a file into a volume: the values are those that pydicom gives."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import apply_color_lut, apply_modality_lut, convert_color_space
from pydicom.uid import UID

import volstream
from volstream import UnsupportedError, ValueRangeError
from volstream import syntaxes as ts
from volstream.samples import instance

FRAMES, ROWS, COLUMNS = 3, 5, 6
MULTI_FRAME = "1.2.840.10008.5.1.4.1.1.7.2"  # Multi-frame Grayscale Byte Secondary Capture
COLORS = ("Red", "Green", "Blue")
RNG = np.random.default_rng(64)


@pytest.fixture(params=[ts.IMPLICIT, ts.EXPLICIT, ts.BIG_ENDIAN, ts.DEFLATED])
def syntax(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def image(**attributes: Any) -> Dataset:
    """An object of 3 frames of 5 x 6 pixels; without its pixels."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = MULTI_FRAME, "1.2.3.4"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.Modality = "1.2", "1.2.3", "OT"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = FRAMES, ROWS, COLUMNS
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.PixelRepresentation = 0
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    dataset.HighBit = attributes.get("HighBit", dataset.BitsStored - 1)
    return dataset


def write(path: Path, dataset: Dataset, cells: NDArray[Any], syntax: str, vr: str = "OW") -> Path:
    """Write `cells` as Pixel Data: words of their own width in the byte order of the syntax, bytes in OW pairs."""
    is_big = syntax == ts.BIG_ENDIAN
    data = np.ascontiguousarray(cells).astype(cells.dtype.newbyteorder(">" if is_big else "<")).tobytes()
    data += bytes(len(data) % 2)
    if is_big and cells.itemsize == 1 and vr == "OW":
        data = np.frombuffer(data, "<u2").byteswap().tobytes()
    dataset.add_new("PixelData", vr, data)
    return save(path, dataset, syntax)


def save(path: Path, dataset: Dataset, syntax: str) -> Path:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    return path


def loaded(path: Path, **options: Any) -> NDArray[Any]:
    with volstream.load(path, **options) as volume:
        return volume.array.copy()


def same(found: NDArray[Any], expected: NDArray[Any]) -> None:
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found, expected)


def cells_of(bits: int, *shape: int) -> NDArray[Any]:
    """Random values of so many bits, in the narrowest cells."""
    cell = next(size for size in (1, 2, 4, 8) if bits <= 8 * size)
    return RNG.integers(0, 1 << bits, shape or (FRAMES, ROWS, COLUMNS), dtype=np.uint64).astype(f"u{cell}")


def plain(values: NDArray[Any], stored: int, **attributes: Any) -> Dataset:
    """Attributes for `values` as they are, of `stored` bits."""
    shape = {"Rows": values.shape[1], "Columns": values.shape[2], "PixelRepresentation": int(values.dtype.kind == "i")}
    return image(BitsAllocated=8 * values.itemsize, BitsStored=stored, **shape | attributes)


@pytest.mark.parametrize("vr", ["OB", "OW"])
@pytest.mark.parametrize(("rows", "columns"), [(5, 7), (3, 3), (4, 8), (1, 1), (5, 13)])
def test_single_bits(rows: int, columns: int, vr: str, syntax: str, tmp_path: Path) -> None:
    bits = RNG.integers(0, 2, (FRAMES, rows, columns), dtype=np.uint8)
    dataset = image(BitsAllocated=1, BitsStored=1, Rows=rows, Columns=columns)
    path = write(tmp_path / "bits.dcm", dataset, np.packbits(bits, bitorder="little"), syntax, vr)
    same(loaded(path), bits)
    if syntax != ts.BIG_ENDIAN:  # where pydicom takes single bits as they lie, whatever the VR
        same(pydicom.dcmread(path).pixel_array, bits)


def test_frames_of_single_bits_in_fragments_begin_at_a_byte(tmp_path: Path) -> None:
    bits = RNG.integers(0, 2, (FRAMES, 5, 7), dtype=np.uint8)
    dataset = image(BitsAllocated=1, BitsStored=1, Rows=5, Columns=7)
    frames = [np.packbits(frame, bitorder="little").tobytes() for frame in bits]
    instance.save(tmp_path / "bits.dcm", dataset, frames, ts.ENCAPSULATED_RAW)
    same(loaded(tmp_path / "bits.dcm"), bits)


@pytest.mark.parametrize("shape", [(ROWS, COLUMNS), (3, 5)])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(
    ("bits", "stored"), [(8, 8), (8, 5), (16, 16), (16, 12), (32, 32), (32, 20), (64, 53), (64, 32), (64, 9)]
)
def test_integers(bits: int, stored: int, signed: bool, shape: tuple[int, int], syntax: str, tmp_path: Path) -> None:
    values = cells_of(stored, FRAMES, *shape).astype(f"u{bits // 8}")
    if signed:
        values = (values << (bits - stored)).view(f"i{bits // 8}") >> (bits - stored)
    path = write(tmp_path / "integers.dcm", plain(values, stored), values, syntax)
    found = loaded(path)
    same(found, values)
    same(found, pydicom.dcmread(path).pixel_array)


@pytest.mark.parametrize("bits", [8, 16, 32, 64])
@pytest.mark.parametrize("signed", [0, 1])
def test_what_surrounds_the_stored_bits_does_not_matter(bits: int, signed: int, syntax: str, tmp_path: Path) -> None:
    cells = cells_of(bits)
    dataset = plain(cells, 6, HighBit=bits - 2, PixelRepresentation=signed)
    path = write(tmp_path / "dirty.dcm", dataset, cells, syntax)
    inner = (cells >> np.uint8(bits - 7)).astype(np.uint8) << 2
    same(loaded(path), (inner.view(np.int8) if signed else inner) >> 2)


@pytest.mark.parametrize("vr", ["OB", "OW", "OV"])
def test_64_bit_pixels_of_any_vr(vr: str, tmp_path: Path) -> None:
    values = cells_of(53)
    path = write(tmp_path / "long.dcm", plain(values, 53), values, ts.EXPLICIT, vr)
    same(loaded(path), values)


def test_64_stored_bits_need_a_type_from_the_caller(syntax: str, tmp_path: Path) -> None:
    values = cells_of(31).astype(np.int64) - 2**30
    path = write(tmp_path / "long.dcm", plain(values, 64), values, syntax)
    with pytest.raises(UnsupportedError, match="64 bits") as caught:
        loaded(path)
    assert caught.value.uid == "1.2.3.4"
    same(loaded(path, dtype="int32"), values)
    values[1, 2, 3] = 2**53 + 1
    write(path, plain(values, 64), values, syntax)
    with pytest.raises(ValueRangeError, match="do not fit int32"):
        loaded(path, dtype="int32")
    same(loaded(path, dtype="float64"), values.astype(np.float64))


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("shape", [(ROWS, COLUMNS), (3, 5)])
def test_colour(photometric: str, planar: int, shape: tuple[int, int], syntax: str, tmp_path: Path) -> None:
    colours = cells_of(8, FRAMES, *shape, 3)
    dataset = plain(colours, 8, SamplesPerPixel=3, PhotometricInterpretation=photometric, PlanarConfiguration=planar)
    cells = colours.transpose(0, 3, 1, 2) if planar else colours
    path = write(tmp_path / "colour.dcm", dataset, cells, syntax)
    same(loaded(path), pydicom.dcmread(path).pixel_array)  # which converts to RGB as well
    same(loaded(path), convert_color_space(colours, photometric, "RGB"))


@pytest.mark.parametrize("bits", [16, 32])
@pytest.mark.parametrize("planar", [0, 1])
def test_deep_colour(bits: int, planar: int, syntax: str, tmp_path: Path) -> None:
    colours = cells_of(bits, FRAMES, ROWS, COLUMNS, 3)
    dataset = plain(colours, bits, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=planar)
    cells = colours.transpose(0, 3, 1, 2) if planar else colours
    path = write(tmp_path / "colour.dcm", dataset, cells, syntax)
    same(loaded(path), pydicom.dcmread(path).pixel_array)


def test_halved_chrominance(syntax: str, tmp_path: Path) -> None:
    cells = cells_of(8, FRAMES, ROWS, COLUMNS, 2)
    dataset = plain(cells, 8, SamplesPerPixel=3, PhotometricInterpretation="YBR_FULL_422", PlanarConfiguration=0)
    path = write(tmp_path / "colour.dcm", dataset, cells, syntax)
    same(loaded(path), pydicom.dcmread(path).pixel_array)


def test_monochrome1_is_not_inverted(syntax: str, tmp_path: Path) -> None:
    values = cells_of(12)
    dataset = plain(values, 12, PhotometricInterpretation="MONOCHROME1")
    path = write(tmp_path / "white.dcm", dataset, values, syntax)
    same(loaded(path), pydicom.dcmread(path).pixel_array)
    with volstream.load(path) as volume:
        assert "monochrome1" in {finding.kind for finding in volume.geometry.findings}


@pytest.mark.parametrize("cell", ["u1", "u2", "i1", "i2"])
@pytest.mark.parametrize(("depth", "first"), [(8, 0), (16, 0), (16, 20), (16, -20)])
def test_palette(cell: str, depth: int, first: int, syntax: str, tmp_path: Path) -> None:
    if first < 0 and "u" in cell:
        pytest.skip("no stored value is below zero")
    values = RNG.integers(0, 256, (FRAMES, ROWS, COLUMNS), dtype=np.uint8).view("i1" if "i" in cell else "u1")
    values = values.astype(cell)
    dataset = plain(values, 8 * values.itemsize, PhotometricInterpretation="PALETTE COLOR")
    for colour in COLORS:
        entries = cells_of(depth, 100).astype(">u2" if syntax == ts.BIG_ENDIAN else "<u2")
        vr = "SS" if "i" in cell else "US"
        dataset.add_new(f"{colour}PaletteColorLookupTableDescriptor", vr, [100, first, depth])
        dataset.add_new(f"{colour}PaletteColorLookupTableData", "OW", entries.tobytes())
    path = write(tmp_path / "palette.dcm", dataset, values, syntax)
    read = pydicom.dcmread(path)
    if syntax == ts.BIG_ENDIAN:  # of which apply_color_lut swaps no entries
        for colour in COLORS:
            element = read[f"{colour}PaletteColorLookupTableData"]
            element.value = np.frombuffer(element.value, ">u2").astype("<u2").tobytes()
    same(loaded(path), apply_color_lut(values.astype(np.int32), read))


@pytest.mark.parametrize("depth", [8, 16])
def test_segmented_palette(depth: int, syntax: str, tmp_path: Path) -> None:
    values = cells_of(8)
    codes = [0, 2, 10, 20, 1, 7, 255, 0, 1, 0, 1, 6, 3, 1, 12, 250]  # discrete and linear in turn: 29 entries
    order = ">" if syntax == ts.BIG_ENDIAN else "<"
    dataset = plain(values, 8, PhotometricInterpretation="PALETTE COLOR")
    for shift, colour in enumerate(COLORS):
        codes[2] += shift
        data = struct.pack(f"{order}{len(codes)}{'H' if depth == 16 else 'B'}", *codes)
        if syntax == ts.BIG_ENDIAN and depth == 8:
            data = np.frombuffer(data, "<u2").byteswap().tobytes()
        dataset.add_new(f"{colour}PaletteColorLookupTableDescriptor", "US", [28, 0, depth])
        dataset.add_new(f"Segmented{colour}PaletteColorLookupTableData", "OW", data)
    path = write(tmp_path / "palette.dcm", dataset, values, syntax)
    read = pydicom.dcmread(path)
    if syntax == ts.BIG_ENDIAN and depth == 8:
        for colour in COLORS:
            element = read[f"Segmented{colour}PaletteColorLookupTableData"]
            element.value = np.frombuffer(element.value, "<u2").byteswap().tobytes()
    same(loaded(path), apply_color_lut(values, read))


@pytest.mark.parametrize("vr", ["US", "OW"])
@pytest.mark.parametrize("signed", [False, True])
def test_modality_lut(vr: str, signed: bool, syntax: str, tmp_path: Path) -> None:
    values = (cells_of(8).astype(np.int16) - 128) if signed else cells_of(8).astype(np.uint16)
    entries = cells_of(16, 150)
    lut, first = Dataset(), -60 if signed else 30
    lut.add_new("LUTDescriptor", "SS" if signed else "US", [len(entries), first, 16])
    order = ">u2" if syntax == ts.BIG_ENDIAN else "<u2"
    lut.add_new("LUTData", vr, entries.tolist() if vr == "US" else entries.astype(order).tobytes())
    lut.ModalityLUTType = "US"
    path = write(tmp_path / "lut.dcm", plain(values, 16, ModalityLUTSequence=[lut]), values, syntax)
    same(loaded(path), apply_modality_lut(values, pydicom.dcmread(path)))


@pytest.mark.parametrize(("slope", "intercept"), [("2", "-1024"), ("0.37", "5.5")])
@pytest.mark.parametrize("bits", [8, 16, 32, 64])
def test_rescale(slope: str, intercept: str, bits: int, syntax: str, tmp_path: Path) -> None:
    values = cells_of(min(bits, 50)).astype(f"u{bits // 8}")
    dataset = plain(values, min(bits, 50), RescaleSlope=slope, RescaleIntercept=intercept, RescaleType="US")
    path = write(tmp_path / "rescaled.dcm", dataset, values, syntax)
    expected = apply_modality_lut(values, pydicom.dcmread(path))
    same(loaded(path, dtype="float64"), expected)
    found = loaded(path)
    same(found, expected.astype(found.dtype))


@pytest.mark.parametrize("keyword", ["FloatPixelData", "DoubleFloatPixelData"])
def test_float_pixels(keyword: str, syntax: str, tmp_path: Path) -> None:
    type = "f4" if keyword == "FloatPixelData" else "f8"
    values = RNG.normal(0, 1e10, (FRAMES, ROWS, COLUMNS)).astype(type)
    dataset = plain(values, 8)
    for absent in ("BitsStored", "HighBit", "PixelRepresentation"):
        delattr(dataset, absent)
    setattr(dataset, keyword, values.astype((">" if syntax == ts.BIG_ENDIAN else "<") + type).tobytes())
    path = save(tmp_path / "float.dcm", dataset, syntax)
    found = loaded(path)
    assert found.dtype == np.dtype(type)
    same(found, pydicom.dcmread(path).pixel_array)
