"""A plain series, and what holds for every plan."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plan.series import make_series
from volstream.errors import SourceError, VolstreamError
from volstream.plan import PlanOptions, VolumePlan, build_plan
from volstream.plan.options import POLICIES
from volstream.records import FrameRecord, Rescale


def numbers(plan: VolumePlan) -> list[Any]:
    """InstanceNumber of every slot, None for a gap."""
    return [slot.record and slot.record.instance_number for slot in plan.slots]


def test_plain_series_becomes_a_volume() -> None:
    plan = build_plan(make_series(12))

    assert plan.shape == (12, 24, 32)
    assert plan.dtype == np.int16
    assert plan.units == "HU"
    assert plan.nbytes == 12 * 24 * 32 * 2
    assert plan.slice_bytes == 24 * 32 * 2
    assert plan.geometry.spacing == (0.5, 0.75, 2.5)
    assert plan.geometry.origin == (-20.0, -30.0, 100.0)
    np.testing.assert_array_equal(plan.geometry.direction, np.eye(3))
    assert plan.geometry.findings == ()
    assert numbers(plan) == list(range(1, 13))
    assert json.loads(json.dumps(plan.metadata, allow_nan=False)) == plan.metadata


def test_nothing_to_load_is_an_error() -> None:
    with pytest.raises(SourceError):
        build_plan([])


@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 20))
def test_input_order_does_not_matter(source: random.Random, count: int) -> None:
    records = make_series(count)
    shuffled = records.copy()
    source.shuffle(shuffled)

    first, second = build_plan(records), build_plan(shuffled)

    assert first.slots == second.slots
    assert first.metadata == second.metadata
    np.testing.assert_array_equal(first.geometry.affine, second.geometry.affine)


@st.composite
def messes(draw: st.DrawFn) -> list[FrameRecord]:
    """A series in which anything may be wrong: slices gone, copied, moved, turned, without position, over time."""
    records = make_series(draw(st.integers(1, 8)))
    for n in draw(st.lists(st.integers(0, len(records) - 1), max_size=4)):
        record = records[n]
        changes: list[dict[str, Any]] = [
            {"position": None},
            {"position": (-20.0, -30.0, draw(st.floats(90, 130)))},
            {"orientation": (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)},
            {"image_type": ("DERIVED", "SECONDARY")},
            {"spacing": (1.0, 1.0)},
            {"labels": (("EchoTime", draw(st.sampled_from([4.6, 9.2]))),)},
            {"rescale": Rescale(draw(st.sampled_from([1.0, 0.5])))},
        ]
        changed = replace(record, **draw(st.sampled_from(changes)))
        if draw(st.booleans()):
            records[n] = changed
        else:
            records.append(replace(changed, uid=f"1.2.4.{len(records)}", instance_number=draw(st.integers(1, 20))))
    return records


OPTIONS = st.builds(
    PlanOptions,
    select=st.none() | st.integers(0, 2),
    **{name: st.sampled_from(words) for name, words in POLICIES.items()},
)


def outcome(records: list[FrameRecord], options: PlanOptions) -> Any:
    """All that a plan says, or its error."""
    try:
        plan = build_plan(records, options)
    except VolstreamError as error:
        return type(error), str(error)
    assert plan.shape[-3] * (plan.shape[0] if len(plan.shape) == 4 else 1) == len(plan.slots)
    return plan.shape, plan.dtype, plan.slots, plan.fill, plan.units, json.dumps(plan.metadata, allow_nan=False)


@settings(max_examples=200, deadline=None)
@given(messes(), OPTIONS, st.randoms(use_true_random=False))
def test_whatever_the_mess_the_order_of_input_does_not_matter(
    records: list[FrameRecord], options: PlanOptions, source: random.Random
) -> None:
    shuffled = records.copy()
    source.shuffle(shuffled)
    assert outcome(records, options) == outcome(shuffled, options)
