"""Real series, loaded whole, against dcm2niix's voxels; against pydicom's where the two share no grid.

dcm2niix stores raw values with a slope and intercept, rows flipped, some volumes turned to the nearest anatomical
axes; what is known of its output are shape, least, greatest and mean value, and a hash of the bytes.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

import volstream
from plan.test_real_series import PLAIN, SEVERAL
from volstream.api import inspect

CASES = [(name, None, 0) for name in PLAIN] + [
    (name, select, number) for name, selections in SEVERAL.items() for select, number in selections
]

#: Sets whose values dcm2niix has otherwise, and why; these are compared with pydicom alone.
OTHER_VALUES = {
    "emr_siemens_colfa_rgb": "colour, which dcm2niix stores as a structured type",
    "ct_headneck_90_511x511": "slices of 12 and of 13 bits: dcm2niix cuts all to 12",
}
#: Compared with pydicom too: slopes that are fractional, differ by slice, or come from functional groups.
SCALED = ("mr4d_philips_dwiphase_82x7", "d2n_philips_emr_dti", "pet_suv_dro_1_0", *OTHER_VALUES)
#: Time points in dcm2niix's order: it puts the b=0 volume last.
OTHER_ORDER = {"d2n_philips_emr_dti": [1, 2, 3, 0]}


def turned(array: np.ndarray, shape: list[int]) -> Iterator[np.ndarray]:
    """The array with axes as dcm2niix may have them: permuted and flipped to `shape`, (i, j, k[, t])."""
    flipped = array.transpose()[..., None] if array.ndim == 3 and len(shape) == 4 else array.transpose()
    rest = tuple(range(3, flipped.ndim))
    for axes in itertools.permutations(range(3)):
        candidate = flipped.transpose((*axes, *rest))
        if list(candidate.shape) == shape:
            for flips in itertools.product((slice(None), slice(None, None, -1)), repeat=3):
                yield candidate[flips]


@pytest.mark.parametrize(
    ("name", "select", "number"),
    [case for case in CASES if case[0] not in OTHER_VALUES],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_the_voxels_are_those_of_dcm2niix(name: str, select: Any, number: int, test_data: Path) -> None:
    theirs = json.loads((test_data / "VOLUMES_dcm2niix.json").read_text())[name]["volumes"][number]
    dtype = np.dtype(theirs["dtype"])
    folder = test_data / "dicom" / name
    with volstream.load(folder, select=select) as volume:
        values = np.array(volume.array, np.float64)
    if dtype.kind in "iu":  # stored values, which their file then scales
        slopes = [(slot.rescale.slope, slot.rescale.intercept) for slot in inspect(folder, select=select).slots]
        slope, intercept = np.array(slopes).T.reshape(2, *values.shape[:-2], 1, 1)
        stored = (values - intercept) / slope
        assert np.abs(stored - np.rint(stored)).max() < 1e-2
        values = np.rint(stored)
    values = values[OTHER_ORDER.get(name, slice(None))]
    hashes = {
        hashlib.sha256(candidate.astype(dtype).tobytes(order="F")).hexdigest()
        for candidate in turned(values, theirs["shape"])
    }
    if theirs["sha256_raw_fortran_order"] not in hashes:  # floats may differ in the last bit
        assert dtype.kind == "f"
        told = (theirs["min"], theirs["max"], theirs["mean"])
        np.testing.assert_allclose((values.min(), values.max(), values.mean()), told, rtol=1e-5)


@pytest.mark.parametrize("name", SCALED)
def test_the_voxels_are_those_of_pydicom(name: str, test_data: Path) -> None:
    """Frame by frame, by SOP Instance UID and frame number, with the Modality LUT of the headers."""
    datasets = {}
    for path in (test_data / "dicom" / name).rglob("*"):
        if path.is_file():
            dataset = pydicom.dcmread(path)
            datasets[dataset.SOPInstanceUID] = dataset
    with volstream.load(test_data / "dicom" / name) as volume:
        slices = volume.metadata["slices"]
        flat = volume.array.reshape(-1, *volume.array.shape[-(3 if volume.array.shape[-1] == 3 else 2) :])
        for pixels, uid, number in zip(flat, slices["uids"], slices["frames"], strict=True):
            dataset = datasets[uid]
            stored = pydicom.pixels.pixel_array(dataset, index=number if "NumberOfFrames" in dataset else None)
            real = stored * slope_of(dataset, number) + intercept_of(dataset, number)
            np.testing.assert_array_equal(pixels, real.astype(volume.dtype))


def transformation(dataset: pydicom.Dataset, number: int) -> pydicom.Dataset:
    """Where a frame's Rescale Slope and Intercept are."""
    for groups in (
        *dataset.get("PerFrameFunctionalGroupsSequence", [])[number : number + 1],
        *dataset.get("SharedFunctionalGroupsSequence", []),
    ):
        if "PixelValueTransformationSequence" in groups:
            return groups.PixelValueTransformationSequence[0]
    return dataset


def slope_of(dataset: pydicom.Dataset, number: int) -> float:
    return float(transformation(dataset, number).get("RescaleSlope", 1))


def intercept_of(dataset: pydicom.Dataset, number: int) -> float:
    return float(transformation(dataset, number).get("RescaleIntercept", 0))
