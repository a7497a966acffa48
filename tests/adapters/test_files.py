"""Files that are written hold the same voxels in the same places, by the word of other readers."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import nrrd
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
import zarr

from volstream.adapters.files import WRITERS, check, save
from volstream.errors import ResourceError, UsageError

INDICES = [(0, 0, 0), (6, 5, 4), (3, 0, 2), (0, 4, 1)]
DTYPES = ["uint8", "int16", "uint16", "int32", "float32", "float64"]


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nifti_by_nibabel(voxels: Any, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    save(voxels, path)
    image = nibabel.load(path)
    assert image.header.get_data_dtype() == voxels.array.dtype
    data = np.asanyarray(image.dataobj)
    for i, j, k in INDICES:
        assert data[i, j, k] == voxels.array[k, j, i]
        np.testing.assert_allclose((image.affine @ (i, j, k, 1))[:3], voxels.place(i, j, k) * (-1, -1, 1), atol=1e-4)
    assert image.header.get_xyzt_units() == ("mm", "sec")
    assert image.header["sform_code"] == 1


def test_nifti_has_a_qform_only_where_one_can_hold_the_affine(voxels: Any, tmp_path: Path) -> None:
    save(voxels, tmp_path / "out.nii")
    image = nibabel.load(tmp_path / "out.nii")
    axes = voxels.affine[:3, :3]
    orthogonal = np.allclose(axes.T @ axes, np.diag(np.diag(axes.T @ axes)))
    assert (image.header["qform_code"] == 1) == orthogonal
    if orthogonal:
        np.testing.assert_allclose(image.get_qform(), image.get_sform(), atol=1e-4)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
def test_straight_volumes_by_itk(voxels: Any, tmp_path: Path, suffix: str) -> None:
    if voxels.affine[2, 1] and voxels.affine[1, 1]:
        pytest.skip("ITK has no shear")
    path = tmp_path / f"out{suffix}"
    save(voxels, path)
    image = sitk.ReadImage(str(path))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), voxels.array)
    for index in INDICES:
        np.testing.assert_allclose(image.TransformIndexToPhysicalPoint(index), voxels.place(*index), atol=1e-4)


def test_nrrd_by_pynrrd(voxels: Any, tmp_path: Path) -> None:
    save(voxels, tmp_path / "out.nrrd")
    data, header = nrrd.read(str(tmp_path / "out.nrrd"))  # (i, j, k)
    assert data.dtype == voxels.array.dtype
    assert (header["space"], header["sample units"]) == ("left-posterior-superior", "HU")
    for i, j, k in INDICES:
        assert data[i, j, k] == voxels.array[k, j, i]
        place = header["space origin"] + np.array((i, j, k)) @ header["space directions"]
        np.testing.assert_allclose(place, voxels.place(i, j, k), atol=1e-9)


def test_npy_and_its_json(axial: Any, tmp_path: Path) -> None:
    axial.metadata["slices"] = {"addresses": ["dicomfile:/data/secret.dcm"]}
    save(axial, tmp_path / "out.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), axial.array)
    text = (tmp_path / "out.json").read_text()
    beside = json.loads(text)
    np.testing.assert_array_equal(beside["affine"], axial.affine)
    assert (beside["axes"], beside["units"], beside["shape"]) == (["z", "y", "x"], "HU", [5, 6, 7])
    assert "secret" not in text


def test_zarr(voxels: Any, tmp_path: Path) -> None:
    save(voxels, tmp_path / "out.zarr")
    group = zarr.open_group(tmp_path / "out.zarr", mode="r")
    array = group["0"]
    assert isinstance(array, zarr.Array)
    np.testing.assert_array_equal(array[:], voxels.array)
    assert array.chunks == (1, 6, 7)
    assert array.metadata.dimension_names == ("z", "y", "x")  # type: ignore[union-attr]
    attributes: Any = group.attrs.asdict()
    np.testing.assert_array_equal(attributes["volstream"]["affine"], voxels.affine)
    (multiscale,) = attributes["ome"]["multiscales"]
    (level,) = multiscale["datasets"]
    np.testing.assert_allclose(level["coordinateTransformations"][0]["scale"], (2.5, 0.9, 0.8))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("suffix", [".nii", ".nrrd"])
def test_every_type_of_value(axial: Any, tmp_path: Path, dtype: str, suffix: str) -> None:
    axial = replace(axial, array=np.abs(axial.array).astype(dtype))
    save(axial, tmp_path / f"out{suffix}")
    data = (
        nrrd.read(str(tmp_path / "out.nrrd"))[0]
        if suffix == ".nrrd"
        else np.asanyarray(nibabel.load(tmp_path / "out.nii").dataobj)
    )
    assert data.dtype == dtype
    np.testing.assert_array_equal(data.T, axial.array)


def test_time_points_are_the_last_axis(axial: Any, tmp_path: Path) -> None:
    axial = replace(axial, array=np.stack([axial.array, axial.array + 1, axial.array + 2]))
    for suffix in (".nii", ".nrrd", ".zarr"):
        save(axial, tmp_path / f"out{suffix}")
    np.testing.assert_array_equal(np.asanyarray(nibabel.load(tmp_path / "out.nii").dataobj).T, axial.array)
    data, header = nrrd.read(str(tmp_path / "out.nrrd"))
    np.testing.assert_array_equal(data.T, axial.array)
    np.testing.assert_allclose(header["space directions"][:3], axial.affine[:3, :3].T)
    assert np.isnan(header["space directions"][3]).all()
    array: Any = zarr.open_group(tmp_path / "out.zarr", mode="r")["0"]
    assert array.metadata.dimension_names == ("t", "z", "y", "x")


def test_colour(axial: Any, tmp_path: Path) -> None:
    colour = np.random.default_rng(0).integers(0, 256, (5, 6, 7, 3)).astype(np.uint8)
    axial = replace(axial, array=colour, metadata={"photometric": "RGB"}, units="")
    for suffix in (".nii", ".nrrd", ".zarr"):
        save(axial, tmp_path / f"out{suffix}")
    data = np.asanyarray(nibabel.load(tmp_path / "out.nii").dataobj)
    assert data.shape == (7, 6, 5)
    np.testing.assert_array_equal(np.stack([data["R"], data["G"], data["B"]], -1).transpose(2, 1, 0, 3), colour)
    data, header = nrrd.read(str(tmp_path / "out.nrrd"))
    assert header["kinds"] == ["RGB-color", "domain", "domain", "domain"]
    np.testing.assert_array_equal(data.T, colour)
    array: Any = zarr.open_group(tmp_path / "out.zarr", mode="r")["0"]
    assert array.metadata.dimension_names == ("c", "z", "y", "x")
    np.testing.assert_array_equal(np.moveaxis(array[:], 0, -1), colour)
    with pytest.raises(UsageError, match="8 bits"):
        save(replace(axial, array=colour.astype(np.uint16)), tmp_path / "deep.nii")
    assert not (tmp_path / "deep.nii").exists()


@pytest.mark.parametrize("suffix", WRITERS)
def test_replaces_what_was_there_and_leaves_nothing_else(axial: Any, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    save(axial, path)
    made = {each.name for each in tmp_path.iterdir()}
    save(replace(axial, array=axial.array[:, :4] + 1), path)
    assert {each.name for each in tmp_path.iterdir()} == made == {path.name} | ({"out.json"} & made)
    if suffix == ".zarr":
        array: Any = zarr.open_group(path, mode="r")["0"]
        assert array.shape == (5, 4, 7)


def test_a_failed_write_leaves_the_old_file(axial: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.npy"
    path.write_text("before")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(ResourceError, match="No space left"):
        save(axial, path)
    assert path.read_text() == "before"
    assert [each.name for each in tmp_path.iterdir()] == ["out.npy"]


def test_unknown_suffixes_and_absent_libraries_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"\.nii\.gz.*\.zarr"):
        check(tmp_path / "out.tiff")
    with pytest.raises(UsageError, match="no folder"):
        check(tmp_path / "nowhere" / "out.npy")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for suffix, writer in WRITERS.items():
        if writer.extra:
            with pytest.raises(UsageError, match=rf"volstream\[{writer.extra}\]"):
                check(tmp_path / f"out{suffix}")
        else:
            assert check(tmp_path / f"OUT{suffix.upper()}") == writer
