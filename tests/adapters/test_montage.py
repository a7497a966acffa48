"""The picture: right side up, to scale, readable by others."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from volstream.adapters.files import save
from volstream.adapters.montage import GAP, SIDE, _patient_axes, montage
from volstream.adapters.png import encode_png


@given(
    arrays(np.uint8, st.one_of(st.tuples(*[st.integers(1, 9)] * 2), st.tuples(*[st.integers(1, 9)] * 2, st.just(3))))
)
def test_png_holds_the_picture(picture: Any) -> None:
    data = encode_png(picture)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        (length,), kind = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        chunks[kind] = data[at + 8 : at + 8 + length]
        (checksum,) = struct.unpack(">I", data[at + 8 + length : at + 12 + length])
        assert checksum == zlib.crc32(kind + chunks[kind])
        at += 12 + length
    columns, rows, depth, colour = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert (rows, columns, depth, colour) == (*picture.shape[:2], 8, 2 if picture.ndim == 3 else 0)
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(rows, -1)
    assert not lines[:, 0].any()
    np.testing.assert_array_equal(lines[:, 1:].reshape(picture.shape), picture)


def test_png_is_read_by_others(axial: Any, tmp_path: Path) -> None:
    for name, volume in (
        ("grey", axial),
        (
            "colour",
            replace(axial, array=np.full((5, 6, 7, 3), (250, 10, 100), np.uint8), metadata={"photometric": "RGB"}),
        ),
    ):
        save(volume, tmp_path / f"{name}.png")
        read = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / f"{name}.png")))
        np.testing.assert_array_equal(read, montage(volume))


def test_axes_are_turned_to_head_back_left(voxels: Any) -> None:
    """Whatever the acquisition, a step along the turned axes leads to the head, the back, the left."""
    places = np.stack([voxels.place(i, j, k) for k in range(5) for j in range(6) for i in range(7)]).reshape(5, 6, 7, 3)
    for axis, component in enumerate((2, 1, 0)):
        turned, spacing = _patient_axes(replace(voxels, array=places[..., component]))
        steps = np.diff(turned, axis=axis)
        assert (steps > 0).all()
        assert spacing[axis] >= steps.max() - 1e-9


def test_panels_show_the_patient_as_radiologists_do() -> None:
    """One bright octant: left, back and up."""
    array = np.zeros((21, 21, 21), np.int16)
    array[10:, 10:, 10:] = 1000
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    picture = montage(SimpleNamespace(array=array, affine=affine, units="HU", metadata={"window": [500, 1000]}))  # type: ignore[arg-type]
    panels = np.split(np.pad(picture, ((0, 0), (GAP, GAP))), 3, axis=1)
    quarter = SIDE // 4 + GAP
    for panel, (row, column) in zip(panels, ((1, 1), (0, 1), (0, 1)), strict=True):
        for r in (0, 1):
            for c in (0, 1):
                value = panel[SIDE // 4 + r * SIDE // 2, quarter + c * SIDE // 2]
                assert value == (255 if (r, c) == (row, column) else 0)


def test_planes_are_to_scale(voxels: Any) -> None:
    spacing = np.linalg.norm(voxels.affine[:3, :3], axis=0)
    turned, (dz, dy, dx) = _patient_axes(voxels)
    z, y, x = np.array(turned.shape) * (dz, dy, dx)
    assert sorted((dz, dy, dx)) == pytest.approx(sorted(spacing))
    scale = SIDE / max(z, y, x)
    rows, columns = montage(voxels).shape
    assert rows == pytest.approx(scale * max(y, z), abs=2)
    assert columns == pytest.approx(scale * (x + x + y) + 4 * GAP, abs=4)


def test_pet_is_dark_on_white_and_constant_volumes_do_not_fail(axial: Any) -> None:
    pet = replace(axial, metadata={"modality": "PT", "window": [1, 2]}, array=np.zeros((5, 6, 7), np.float32))
    assert (montage(pet) == 255).mean() > 0.9
    nan = replace(pet, array=np.full((5, 6, 7), np.nan, np.float32), metadata={})
    assert montage(nan).dtype == np.uint8


def test_time_points_show_the_first(axial: Any) -> None:
    both = replace(axial, array=np.stack([axial.array, -axial.array]))
    np.testing.assert_array_equal(montage(both), montage(axial))
