"""A plain series, and what holds for every plan."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plan.series import make_series
from volstream.errors import SourceError
from volstream.plan import VolumePlan, build_plan


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
