"""The acceptance table: docs/difficult-series.md says in words what each of these tests holds fast."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from plan.series import MR, make_series
from volstream.errors import GeometryError, UnsupportedError, UsageError
from volstream.plan import PlanOptions, VolumePlan, build_plan
from volstream.records import FrameRecord, PixelFormat, Rescale, SeriesInfo


def numbers(plan: VolumePlan) -> list[int | None]:
    """InstanceNumber of every slot, None for a gap."""
    return [slot.record.instance_number if slot.record else None for slot in plan.slots]


def kinds(plan: VolumePlan) -> set[str]:
    return {finding.kind for finding in plan.geometry.findings}


def moved(record: FrameRecord, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> FrameRecord:
    assert record.position is not None
    return replace(record, position=(record.position[0] + x, record.position[1] + y, record.position[2] + z))


def refused(records: list[FrameRecord], *words: str, **options: Any) -> GeometryError:
    """The error for the series; its text has all the words."""
    with pytest.raises(GeometryError) as caught:
        build_plan(records, PlanOptions(**options))
    for word in words:
        assert word in str(caught.value)
    return caught.value


def test_plain() -> None:
    plan = build_plan(make_series(12))
    assert plan.shape == (12, 24, 32)
    assert plan.geometry.findings == ()


def test_instance_number_reversed() -> None:
    records = make_series(12)
    reversed_numbers = [replace(record, instance_number=13 - n) for n, record in enumerate(records, 1)]
    plan = build_plan(reversed_numbers)
    assert numbers(plan) == list(range(12, 0, -1))
    assert plan.geometry.origin == (-20.0, -30.0, 100.0)


def test_instance_number_and_names_shuffled() -> None:
    order = [5, 2, 11, 7, 1, 12, 3, 9, 4, 10, 8, 6]
    records = [
        replace(record, instance_number=n, address=f"dicomfile:/data/{13 - n}.dcm")
        for n, record in zip(order, make_series(12), strict=True)
    ]
    assert numbers(build_plan(records)) == order


def test_one_slice_missing() -> None:
    records = make_series(12)
    del records[4]
    error = refused(records, "1 of 12 slices missing", "slice 4", 'gaps="fill"')
    assert (error.index, error.uid) == (4, "1.2.3.4")

    plan = build_plan(records, PlanOptions(gaps="fill"))
    assert numbers(plan) == [1, 2, 3, 4, None, 6, 7, 8, 9, 10, 11, 12]
    assert plan.geometry.spacing[2] == 2.5
    assert plan.fill == -1024
    assert "gap" in kinds(plan)


def test_most_slices_missing() -> None:
    """Every second slice is gone: that cannot be known, and is a plain series of twice the spacing. But one is left."""
    records = [record for n, record in enumerate(make_series(12)) if n % 2 == 0 or n == 5]
    plan = build_plan(records, PlanOptions(gaps="fill"))
    assert plan.geometry.spacing[2] == 2.5
    assert numbers(plan) == [1, None, 3, None, 5, 6, 7, None, 9, None, 11]


def test_one_jump_of_0_6_mm() -> None:
    records = make_series(12)
    records = records[:7] + [moved(record, z=0.6) for record in records[7:]]
    error = refused(records, "slice 7", "3.1", "2.5", 'uneven="mean"')
    assert (error.index, error.uid, error.address) == (7, "1.2.3.8", "dicomfile:/data/8.dcm")

    plan = build_plan(records, PlanOptions(uneven="mean"))
    assert plan.shape == (12, 24, 32)
    assert plan.geometry.spacing[2] == pytest.approx(2.5 + 0.6 / 11)
    assert "uneven" in kinds(plan)


def test_one_slice_displaced_by_0_6_mm() -> None:
    records = make_series(12)
    records[5] = moved(records[5], z=0.6)
    assert refused(records, 'uneven="mean"').index in (5, 6)


def test_jitter_of_0_004_mm() -> None:
    records = [moved(record, z=0.004 * (-1) ** n) for n, record in enumerate(make_series(12))]
    plan = build_plan(records)
    assert numbers(plan) == list(range(1, 13))
    assert plan.geometry.spacing[2] == pytest.approx(2.5, abs=0.001)
    assert kinds(plan) == {"jitter"}


def test_duplicate_position() -> None:
    records = make_series(12)
    twin = replace(records[3], uid="1.2.3.99", instance_number=99, address="dicomfile:/data/99.dcm")
    error = refused([*records, twin], "1.2.3.4", 'duplicates="first"')
    assert (error.index, error.uid) == (3, "1.2.3.99")

    first = build_plan([twin, *records], PlanOptions(duplicates="first"))
    last = build_plan([twin, *records], PlanOptions(duplicates="last"))
    assert numbers(first)[3] == 4
    assert numbers(last)[3] == 99
    assert first.shape == last.shape == (12, 24, 32)
    assert "duplicate" in kinds(first)


def test_every_file_twice() -> None:
    records = make_series(12)
    copies = [replace(record, address=record.address.replace("data", "copy")) for record in records]
    refused(records + copies, 'duplicates="first"')
    plan = build_plan(records + copies, PlanOptions(duplicates="last"))
    assert plan.shape == (12, 24, 32)


def test_gantry_tilt_of_15_degrees() -> None:
    angle = math.radians(15)
    step = (0.0, 2.5 * math.sin(angle), 2.5 * math.cos(angle))
    plan = build_plan(make_series(12, step=step))
    np.testing.assert_allclose(plan.geometry.affine[:3, 2], step, atol=1e-12)
    assert plan.geometry.spacing[2] == pytest.approx(2.5)
    assert plan.geometry.tilt_degrees == pytest.approx(15)
    assert kinds(plan) == {"tilt"}


def test_stray_localizer() -> None:
    coronal = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
    stray = make_series(1, orientation=coronal, first_number=99, image_type=("ORIGINAL", "PRIMARY", "LOCALIZER"))
    records = make_series(12) + stray
    error = refused(records, "2 stacks", "LOCALIZER", 'strays="drop"', "select=")
    assert error.uid == "1.2.3.99"

    plan = build_plan(records, PlanOptions(strays="drop"))
    assert plan.shape == (12, 24, 32)
    assert [(f.kind, f.uids) for f in plan.geometry.findings] == [("stray", ("1.2.3.99",))]
    assert numbers(build_plan(records, PlanOptions(select=1))) == [99]


def test_localizer_of_the_same_orientation_far_away() -> None:
    records = make_series(12)
    far = [moved(record, z=900.3) for record in make_series(1, first_number=99)]
    assert refused(records + far).uid == "1.2.3.99"


def test_one_slice_with_other_rows() -> None:
    records = make_series(12)
    records[5] = replace(records[5], pixel=replace(records[5].pixel, rows=20))
    assert refused(records, "Rows 24", "Rows 20", 'strays="drop"').uid == "1.2.3.6"
    refused(records, "1 of 12 slices missing", strays="drop")
    plan = build_plan(records, PlanOptions(strays="drop", gaps="fill"))
    assert numbers(plan)[5] is None
    assert kinds(plan) == {"stray", "gap"}


def test_pet_with_slope_per_slice() -> None:
    info = SeriesInfo("1.2", "1.2.3", "1.2.840.10008.5.1.4.1.1.128", "PT", "1.2.9", units="BQML")
    pixel = PixelFormat(24, 32, 16, 16, 15, 1)
    records = [
        replace(record, rescale=Rescale(0.5 + n / 8))
        for n, record in enumerate(make_series(12, series=info, pixel=pixel))
    ]
    plan = build_plan(records)
    assert (plan.dtype, plan.units) == (np.float32, "BQML")
    assert [slot.rescale.slope for slot in plan.slots] == [0.5 + n / 8 for n in range(12)]
    assert kinds(plan) == {"slopes"}


def two_time_points(**labels: tuple[Any, Any]) -> list[FrameRecord]:
    first, second = make_series(6), make_series(6, first_number=7)
    for t, records in enumerate((first, second)):
        records[:] = [replace(r, labels=tuple((name, values[t]) for name, values in labels.items())) for r in records]
    return first + second


def test_two_time_points_at_the_same_6_positions() -> None:
    plan = build_plan(two_time_points(EchoTime=(9.2, 4.6)))
    assert plan.shape == (2, 6, 24, 32)
    assert numbers(plan) == [7, 8, 9, 10, 11, 12, 1, 2, 3, 4, 5, 6]
    assert plan.metadata["time"] == {"EchoTime": [4.6, 9.2]}
    assert kinds(plan) == {"time"}

    one = build_plan(two_time_points(EchoTime=(9.2, 4.6)), PlanOptions(select={"EchoTime": 9.2}))
    assert numbers(one) == [1, 2, 3, 4, 5, 6]


def test_time_points_that_only_instance_number_tells_apart() -> None:
    plan = build_plan(two_time_points())
    assert plan.shape == (2, 6, 24, 32)
    assert numbers(plan) == list(range(1, 13))
    assert plan.metadata["time"] == {"InstanceNumber": [1, 7]}


def test_identical_copies_are_no_time_points() -> None:
    records = [replace(r, instance_number=1 + n % 6) for n, r in enumerate(two_time_points())]
    refused(records, 'duplicates="first"')


def test_incomplete_time_point() -> None:
    records = two_time_points(EchoTime=(4.6, 9.2))
    del records[9]
    error = refused(records, "1 of 12 images missing", "EchoTime", 'gaps="fill"')
    assert error.index == 3
    plan = build_plan(records, PlanOptions(gaps="fill"))
    assert numbers(plan) == [1, 2, 3, 4, 5, 6, 7, 8, 9, None, 11, 12]
    assert plan.shape == (2, 6, 24, 32)


def test_orientation_jitter_of_1e_6() -> None:
    records = [
        replace(record, orientation=(1.0, 1e-6 * (n % 2), 0.0, 0.0, 1.0, 0.0))
        for n, record in enumerate(make_series(12))
    ]
    plan = build_plan(records)
    assert plan.shape == (12, 24, 32)
    assert kinds(plan) == {"orientation"}


def test_one_slice_without_image_position() -> None:
    records = make_series(12)
    records[5] = replace(records[5], position=None)
    assert refused(records, 'missing_position="drop"').uid == "1.2.3.6"
    plan = build_plan(records, PlanOptions(missing_position="drop", gaps="fill"))
    assert numbers(plan)[5] is None
    assert kinds(plan) == {"missing-position", "gap"}


def test_dtype_of_ct_is_int16() -> None:
    assert build_plan(make_series(12)).dtype == np.int16


def test_axis_order_and_affine_columns() -> None:
    """Array axes are (k, j, i); affine columns are for i, j, k."""
    plan = build_plan(make_series(12))
    assert plan.shape == (12, 24, 32)
    np.testing.assert_array_equal(plan.geometry.affine @ [1, 0, 0, 1], [-19.5, -30, 100, 1])
    np.testing.assert_array_equal(plan.geometry.affine @ [0, 1, 0, 1], [-20, -29.25, 100, 1])
    np.testing.assert_array_equal(plan.geometry.affine @ [0, 0, 1, 1], [-20, -30, 102.5, 1])


def test_k_ascends_along_row_x_column() -> None:
    upside_down = make_series(12, step=(0.0, 0.0, -2.5))
    plan = build_plan(upside_down)
    assert numbers(plan) == list(range(12, 0, -1))
    assert plan.geometry.affine[2, 2] == 2.5


def test_mixed_orientations() -> None:
    sagittal = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
    records = make_series(6) + make_series(6, orientation=sagittal, first_number=7)
    refused(records, "2 stacks", r"ImageOrientationPatient 0\1\0\0\0\-1", "select=")
    refused(records, "2 stacks", strays="drop")
    assert numbers(build_plan(records, PlanOptions(select={"ImageOrientationPatient": sagittal}))) == [
        7,
        8,
        9,
        10,
        11,
        12,
    ]


def test_two_series() -> None:
    other = replace(make_series(1)[0].series, series_uid="1.2.4")
    records = make_series(6) + make_series(6, series=other, first_number=7)
    refused(records, "SeriesInstanceUID 1.2.3", "SeriesInstanceUID 1.2.4")
    assert numbers(build_plan(records, PlanOptions(select={"SeriesInstanceUID": "1.2.4"}))) == [7, 8, 9, 10, 11, 12]
    with pytest.raises(UsageError, match=r"1\.2\.3, 1\.2\.4"):
        build_plan(records, PlanOptions(select={"SeriesInstanceUID": "1.2.5"}))


def test_magnitude_and_phase_of_two_echoes() -> None:
    """Kinds are stacks to choose from; echoes are the t axis."""
    mr = SeriesInfo("1.2", "1.2.3", MR, "MR", "1.2.9")
    records = [
        record
        for n, (kind, echo) in enumerate((kind, echo) for kind in "MP" for echo in (4.6, 6.9))
        for record in make_series(
            6, first_number=1 + 6 * n, image_type=("ORIGINAL", "PRIMARY", kind), labels=(("EchoTime", echo),), series=mr
        )
    ]
    refused(records, "2 stacks", "ImageType")
    plan = build_plan(records, PlanOptions(select={"ImageType": "P"}))
    assert plan.shape == (2, 6, 24, 32)
    assert plan.metadata["time"] == {"EchoTime": [4.6, 6.9]}
    assert numbers(build_plan(records, PlanOptions(select={"ImageType": "P", "EchoTime": 6.9}))) == list(range(19, 25))


def test_kinds_at_different_places_are_one_stack() -> None:
    records = make_series(12)
    records[0] = replace(records[0], image_type=("DERIVED", "SECONDARY", "AXIAL"))
    assert build_plan(records).shape == (12, 24, 32)


def test_single_slice() -> None:
    plan = build_plan(make_series(1, spacing=4.0))
    assert plan.shape == (1, 24, 32)
    assert plan.geometry.spacing[2] == 4.0
    assert kinds(plan) == {"single-slice"}


def test_no_positions_at_all() -> None:
    records = [replace(record, position=None, orientation=None) for record in make_series(5)]
    plan = build_plan(records[::-1])
    assert plan.shape == (5, 24, 32)
    assert numbers(plan) == [1, 2, 3, 4, 5]
    assert plan.geometry.spacing == (0.5, 0.75, 1.0)
    assert not plan.geometry.is_placed
    assert kinds(plan) == {"no-position"}
    refused([*records, records[0]], 'duplicates="first"')


def test_siemens_mosaic() -> None:
    records = make_series(3, image_type=("ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"))
    with pytest.raises(UnsupportedError, match='mosaic="plane"') as caught:
        build_plan(records)
    assert caught.value.uid == "1.2.3.1"
    plan = build_plan(records, PlanOptions(mosaic="plane"))
    assert not plan.geometry.is_placed
    assert kinds(plan) == {"mosaic", "no-position"}
