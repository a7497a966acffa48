"""Real series against dcm2niix: shape and affine, or the reason why they differ.

dcm2niix writes RAS, flips axes, and turns the axes of 3D acquisitions to the nearest anatomical order; so an affine
agrees if the two grids have the same corners and the axes correspond. Voxels are compared elsewhere.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from volstream.errors import GeometryError, UnsupportedError, VolstreamError
from volstream.headers.part10 import read_records
from volstream.plan import PlanOptions, VolumePlan, build_plan
from volstream.records import FrameRecord

#: Sets that agree as they are, in the one volume that they hold.
PLAIN = (
    "ct_headneck_90_511x511", "ct_ibsi_checkerboard_64", "ct_ibsi_orientation_64", "ct_philips_head_std_140",
    "ct_seg_3slice", "d2n_anisotropic_slopes4", "d2n_ge_dti_002", "d2n_hyperfine_emr", "d2n_implicit_philips",
    "d2n_jpegls", "d2n_philips_emr_dti", "d2n_rle", "ect_supplemental_2fr", "emr_canon_dwi_3000_520fr",
    "emr_siemens_colfa_rgb", "emr_siemens_t1_96fr", "mr4d_canon_dwi_3000_40x13", "mr4d_ge_fmri_15x10",
    "mr4d_philips_dwiphase_82x7", "mr4d_philips_fmri_35x20", "mr_decubitus_HFDR_35", "mr_pacsman_128cube",
    "mr_siemens_t1_sag_192", "pet_single_acrin_flt_029", "pet_single_ge_jpegll", "pet_suv_dro_0_0",
    "pet_suv_dro_1_0", "pet_suv_dro_2_0", "pet_suv_dro_2_4", "pet_suv_dro_3_0", "pet_suv_dro_3_3", "pet_suv_dro_4_0",
    "ts_frag_jpegll_96",
)  # fmt: skip

#: Sets that hold several stacks: refused as they are; each selection agrees with one volume of dcm2niix, by number.
SEVERAL: dict[str, tuple[tuple[Any, int], ...]] = {
    "d2n_mixed_orientation": ((0, 0), (1, 1)),
    "d2n_philips_002_mixed": (({"ImageType": "SW_M"}, 0), ({"ImageType": "SW_P"}, 1)),
    "ect_legacyconv_23x38x3": (({"SeriesDescription": "Image 23x38x3"}, 0), (1, 1)),
    "emr_philips_fieldmap_212fr": (
        ({"ImageType": "M", "EffectiveEchoTime": 2.3}, 0),
        ({"ImageType": "P", "EffectiveEchoTime": 4.6}, 3),
    ),
    "mr4d_philips_fieldmap_53x4": (
        ({"ImageType": "M_FFE", "EchoTime": 2.3}, 0),
        ({"ImageType": "PHASE MAP", "EchoTime": 4.6}, 3),
    ),
    "mr_cine_2of25": (({"SeriesDescription": "Cine_TruFisp_RVLA"}, 0), ({"SeriesDescription": "SeriesLaugh"}, 1)),
}

#: Sets where another result is right: shape or error here, and why dcm2niix differs.
DIFFERENT: dict[str, tuple[Any, str]] = {
    "ct_philips_tilt_neg18_54": ((54, 512, 512), "tilt: exact shear here; dcm2niix drops it, then resamples"),
    "d2n_gantry_tilt": ((4, 512, 512), "tilt: exact shear here; dcm2niix drops it, then resamples"),
    "d2n_missing_slice_001": (GeometryError, "gap: refused here; dcm2niix averages the spacing, then resamples"),
    "emr_moveknee_19fr": ((19, 1, 256, 256), "time: 19 frames at one place are a t axis here, slices in dcm2niix"),
    "emr_siemens_gre_2echo": ((2, 33, 64, 64), "echo: a t axis here, two volumes in dcm2niix"),
    "mr_siemens_mosaic_b13": (UnsupportedError, "mosaic: its tiles are not taken apart yet"),
    "mr_siemens_mosaic_cor_sag": (UnsupportedError, "mosaic: its tiles are not taken apart yet"),
    "mr_siemens_mosaic_j2k": (UnsupportedError, "mosaic: its tiles are not taken apart yet"),
    "odd_12bit_unsigned_dirty": (UnsupportedError, "mosaic: its tiles are not taken apart yet"),
    "ts_siemens_9variants": (UnsupportedError, "mosaic: its tiles are not taken apart yet"),
    "mr_uih_vframe_dwi": ((17, 256, 320), "tiles whose place only private elements tell: pictures here"),
    "odd_mono1_dx": ((1, 169, 211), "no position: the origin stays 0 here, dcm2niix centres the picture"),
    "ct_philips_study_mixed": (GeometryError, "not a volume: localizers and an exam summary"),
}

#: Single files gathered in a folder, not series.
FILES = (
    "cs3d_testimages", "fodicom_odd", "htj2k_wg04", "pydicom_wheel", "pylibjpeg_j2k_odd", "wg04_CT1", "wg04_MR1",
    "wg04_NM1", "wg04_RG3", "wg04_US1",
)  # fmt: skip


@pytest.fixture(scope="module")
def volumes(test_data: Path) -> Mapping[str, list[dict[str, Any]]]:
    sets = json.loads((test_data / "VOLUMES_dcm2niix.json").read_text())
    return {name: entry["volumes"] for name, entry in sets.items()}


def records_of(folder: Path) -> list[FrameRecord]:
    """Of every file that is DICOM."""
    records = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".txt"):
        records += read_records(path)
    return records


def differences(plan: VolumePlan, volume: dict[str, Any]) -> str:
    """How the plan's grid differs from that of dcm2niix; empty if it does not."""
    is_colour = "'R'" in volume["dtype"]
    shape = (plan.shape[:-1] if is_colour else plan.shape)[::-1]
    to_ras = np.diag([-1.0, -1.0, 1.0, 1.0])
    ours, theirs = to_ras @ plan.geometry.affine, np.array(volume["affine_ras"])
    if sorted(shape[:3]) != sorted(volume["shape"][:3]) or shape[3:] != tuple(volume["shape"][3:]):
        return f"shape {shape}, dcm2niix {volume['shape']}"
    last = np.array(volume["shape"][:3]) - 1
    corners = np.array([(*corner, 1) for corner in itertools.product(*((0, n) for n in last))], float).T
    off = []
    for axes in itertools.permutations(range(3)):
        if [shape[axis] for axis in axes] != volume["shape"][:3]:
            continue
        for flips in itertools.product((False, True), repeat=3):
            # Maps an index of dcm2niix to one of ours.
            turn = np.zeros((4, 4))
            turn[3, 3] = 1
            for theirs_axis, (axis, flip) in enumerate(zip(axes, flips, strict=True)):
                turn[axis, theirs_axis] = -1 if flip else 1
                turn[axis, 3] = last[theirs_axis] if flip else 0
            off.append(float(np.abs((ours @ turn - theirs) @ corners).max()))
    # dcm2niix takes the step from the first two positions, so their rounding adds up over its slices.
    return "" if min(off) < 0.01 * min(plan.geometry.spacing) else f"corners {min(off):.3g} mm apart"


def test_every_set_is_listed(volumes: Mapping[str, Any]) -> None:
    assert sorted([*PLAIN, *SEVERAL, *DIFFERENT, *FILES]) == sorted(volumes)


@pytest.mark.parametrize("name", PLAIN)
def test_plain_sets_agree(name: str, test_data: Path, volumes: Mapping[str, list[dict[str, Any]]]) -> None:
    plan = build_plan(records_of(test_data / "dicom" / name))
    assert differences(plan, volumes[name][0]) == ""


@pytest.mark.parametrize("name", SEVERAL)
def test_selected_stacks_agree(name: str, test_data: Path, volumes: Mapping[str, list[dict[str, Any]]]) -> None:
    records = records_of(test_data / "dicom" / name)
    with pytest.raises(GeometryError, match="stacks"):
        build_plan(records)
    for select, number in SEVERAL[name]:
        plan = build_plan(records, PlanOptions(select=select))
        assert differences(plan, volumes[name][number]) == "", select


@pytest.mark.parametrize("name", DIFFERENT)
def test_sets_that_differ_for_a_reason(name: str, test_data: Path, volumes: Mapping[str, list[dict[str, Any]]]) -> None:
    outcome, reason = DIFFERENT[name]
    records = records_of(test_data / "dicom" / name)
    if isinstance(outcome, tuple):
        plan = build_plan(records)
        assert plan.shape == outcome
        assert differences(plan, volumes[name][0]), f"no difference any more: {reason}"
    else:
        with pytest.raises(outcome):
            build_plan(records)


@pytest.mark.parametrize("name", ["ct_philips_tilt_neg18_54", "d2n_gantry_tilt"])
def test_tilted_slices_lie_where_their_headers_say(name: str, test_data: Path) -> None:
    plan = build_plan(records_of(test_data / "dicom" / name))
    for k, slot in enumerate(plan.slots):
        assert slot.record is not None
        off = (plan.geometry.affine @ [0, 0, k, 1])[:3] - np.array(slot.record.position)
        assert np.abs(off).max() < 0.01


def test_classic_and_enhanced_objects_of_one_acquisition_agree(test_data: Path) -> None:
    pairs = {
        "mr4d_canon_dwi_3000_40x13": ("emr_canon_dwi_3000_520fr", None, None),
        "mr4d_philips_fieldmap_53x4": ("emr_philips_fieldmap_212fr", {"ImageType": "M_FFE"}, {"ImageType": "M"}),
    }
    for classic, (enhanced, select, selected) in pairs.items():
        first = build_plan(records_of(test_data / "dicom" / classic), PlanOptions(select=select))
        second = build_plan(records_of(test_data / "dicom" / enhanced), PlanOptions(select=selected))
        assert first.shape == second.shape
        np.testing.assert_allclose(first.geometry.affine, second.geometry.affine, atol=1e-3)


@pytest.mark.parametrize("name", FILES)
def test_single_files_are_planned_or_refused_by_name(name: str, test_data: Path) -> None:
    planned, unnamed = 0, []
    for path in sorted(path for path in (test_data / "dicom" / name).rglob("*") if path.is_file()):
        try:
            records = read_records(path)
            planned += bool(records and build_plan(records).slots)
        except VolstreamError as error:
            if str(path) not in str(error):
                unnamed.append(error)
    assert planned
    assert unnamed == []
