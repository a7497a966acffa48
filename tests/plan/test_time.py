"""The t axis: which label makes it, and in which order."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from plan.series import make_series
from volstream.errors import GeometryError
from volstream.plan import PlanOptions, VolumePlan, build_plan
from volstream.records import FrameRecord

Labels = Callable[[int, int], dict[str, Any]]


def repeated(times: int, slices: int, labels: Labels, *, interleaved: bool = False) -> list[FrameRecord]:
    """`times` images at each of `slices` places, shuffled. InstanceNumber counts slice by slice if interleaved."""
    records = []
    for t in range(times):
        for k, record in enumerate(make_series(slices)):
            number = 1 + (k * times + t if interleaved else t * slices + k)
            values = tuple(labels(t, k).items())
            records.append(replace(record, uid=f"1.2.3.{number}", instance_number=number, labels=values))
    random.Random(1).shuffle(records)
    return records


def order(plan: VolumePlan) -> list[int | None]:
    return [slot.record and slot.record.instance_number for slot in plan.slots]


def told_by(plan: VolumePlan) -> str:
    (message,) = (finding.message for finding in plan.geometry.findings if finding.kind == "time")
    return message.partition("told apart by ")[2]


@pytest.mark.parametrize("interleaved", [False, True])
def test_clock_that_runs_from_slice_to_slice(interleaved: bool) -> None:
    """No two slices have a time in common, yet the order at each slice is clear."""
    plan = build_plan(
        repeated(4, 5, lambda t, k: {"AcquisitionTime": f"1015{10 * t + k:02d}.5"}, interleaved=interleaved)
    )
    assert plan.shape == (4, 5, 24, 32)
    assert told_by(plan) == "AcquisitionTime"
    assert plan.metadata["time"]["AcquisitionTime"] == [f"1015{10 * t:02d}.5" for t in range(4)]


def test_steady_label_is_preferred_to_a_clock() -> None:
    def labels(t: int, k: int) -> dict[str, Any]:
        return {"AcquisitionTime": f"1015{10 * t + k:02d}", "TemporalPositionIdentifier": 4 - t}

    plan = build_plan(repeated(4, 5, labels))
    assert told_by(plan) == "TemporalPositionIdentifier"
    assert order(plan)[:5] == [16, 17, 18, 19, 20]


def test_numbers_sort_as_numbers() -> None:
    plan = build_plan(repeated(11, 2, lambda t, k: {"TriggerTime": 11 - t}))
    assert plan.metadata["time"] == {"TriggerTime": list(range(1, 12))}


def test_two_labels_together() -> None:
    def labels(t: int, k: int) -> dict[str, Any]:
        return {"EchoTime": (4.6, 9.2)[t % 2], "TemporalPositionIdentifier": 1 + t // 2}

    plan = build_plan(repeated(6, 3, labels))
    assert plan.shape == (6, 3, 24, 32)
    assert told_by(plan) == "TemporalPositionIdentifier and EchoTime"
    assert plan.metadata["time"] == {
        "TemporalPositionIdentifier": [1, 1, 2, 2, 3, 3],
        "EchoTime": [4.6, 9.2, 4.6, 9.2, 4.6, 9.2],
    }
    second = build_plan(repeated(6, 3, labels), PlanOptions(select={"EchoTime": 9.2}))
    assert second.shape == (3, 3, 24, 32)


def test_gradient_directions_stay_in_the_order_of_acquisition() -> None:
    directions = ["1.0\\0.0\\0.0", "0.0\\1.0\\0.0", "0.0\\0.0\\1.0", "-1.0\\0.0\\0.0"]
    plan = build_plan(
        repeated(4, 3, lambda t, k: {"DiffusionBValue": 1000.0, "DiffusionGradientOrientation": directions[t]})
    )
    assert told_by(plan) == "DiffusionGradientOrientation"
    assert plan.metadata["time"] == {"DiffusionGradientOrientation": directions}
    assert order(plan) == list(range(1, 13))


def test_repeated_b_0_falls_back_on_the_order_of_acquisition() -> None:
    plan = build_plan(repeated(4, 3, lambda t, k: {"DiffusionBValue": (0.0, 1000.0, 0.0, 2000.0)[t]}))
    assert told_by(plan) == "InstanceNumber"
    assert plan.metadata["time"]["DiffusionBValue"] == [0.0, 1000.0, 0.0, 2000.0]


def test_order_of_acquisition_that_a_label_contradicts_is_refused() -> None:
    """The b-values come in another order at every slice, and one of them twice."""
    records = repeated(3, 3, lambda t, k: {"DiffusionBValue": (0.0, 0.0, 1000.0)[(t + k) % 3]})
    with pytest.raises(GeometryError, match="no label tells apart"):
        build_plan(records)


def test_single_slice_cine() -> None:
    plan = build_plan(repeated(25, 1, lambda t, k: {"TriggerTime": 40.0 * t}))
    assert plan.shape == (25, 1, 24, 32)


def test_time_points_with_a_missing_slice() -> None:
    """A place that no time point has is a gap in space; one that some lack is a gap in time."""
    records = repeated(3, 5, lambda t, k: {"TemporalPositionIdentifier": 1 + t})
    records = [record for record in records if record.instance_number not in (3, 8, 13, 4)]
    with pytest.raises(GeometryError, match="1 of 5 slices missing"):
        build_plan(records)
    plan = build_plan(records, PlanOptions(gaps="fill"))
    assert order(plan) == [1, 2, None, None, 5, 6, 7, None, 9, 10, 11, 12, None, 14, 15]
    assert [finding.kind for finding in plan.geometry.findings] == ["gap", "time", "gap"]


def test_frames_of_one_instance_at_one_place() -> None:
    (record,) = make_series(1)
    plan = build_plan([replace(record, frame=n, frames=4) for n in (2, 0, 3, 1)])
    assert plan.shape == (4, 1, 24, 32)
    assert [slot.record.frame for slot in plan.slots if slot.record] == [0, 1, 2, 3]


def test_one_of_many_copied() -> None:
    records = repeated(3, 5, lambda t, k: {"TemporalPositionIdentifier": 1 + t})
    with pytest.raises(GeometryError, match='duplicates="first"'):
        build_plan([*records, records[0]])
    plan = build_plan([*records, records[0]], PlanOptions(duplicates="first"))
    assert plan.shape == (3, 5, 24, 32)
    assert order(plan) == list(range(1, 16))
