"""What holds for the geometry of every stack: PS3.3 C.7.6.2.1.1."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plan.series import make_series
from volstream.errors import DamagedError, GeometryError
from volstream.plan import PlanOptions, build_plan
from volstream.plan.geometry import tolerance

Axes = npt.NDArray[np.float64]


@st.composite
def axes(draw: st.DrawFn) -> Axes:
    """Row, column and normal of a random orientation: the rows of a rotation matrix from a random quaternion."""
    component = st.floats(-1, 1)
    q = draw(st.tuples(component, component, component, component).filter(lambda q: math.hypot(*q) > 0.1))
    w, x, y, z = np.array(q) / math.hypot(*q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y + z * w), 2 * (x * z - y * w)],
            [2 * (x * y - z * w), 1 - 2 * (x * x + z * z), 2 * (y * z + x * w)],
            [2 * (x * z + y * w), 2 * (y * z - x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


@settings(max_examples=100, deadline=None)
@given(
    axes=axes(),
    count=st.integers(2, 15),
    spacing=st.floats(0.05, 20),
    tilt=st.tuples(st.floats(-0.7, 0.7), st.floats(-0.7, 0.7)),
    origin=st.tuples(*[st.floats(-2000, 2000)] * 3),
    digits=st.sampled_from([3, 6, 16]),
    source=st.randoms(use_true_random=False),
)
def test_affine_maps_every_slice_to_its_position(
    axes: Axes,
    count: int,
    spacing: float,
    tilt: tuple[float, float],
    origin: tuple[float, float, float],
    digits: int,
    source: random.Random,
) -> None:
    """Whatever the orientation, tilt, spacing and rounding; and the order of the input changes nothing."""
    step = spacing * (np.array([*tilt, 1.0]) @ axes)
    records = make_series(count, orientation=tuple(axes[:2].ravel()), origin=origin, step=tuple(step))
    records = [replace(r, position=tuple(round(x, digits) for x in r.position or ())) for r in records]
    source.shuffle(records)

    plan = build_plan(records)

    affine = plan.geometry.affine
    assert [slot.record.instance_number for slot in plan.slots if slot.record] == list(range(1, count + 1))
    for k, slot in enumerate(plan.slots):
        assert slot.record is not None
        off = np.linalg.norm((affine @ [0, 0, k, 1])[:3] - np.array(slot.record.position))
        assert off <= tolerance(plan.geometry.spacing[2])
    assert np.linalg.det(affine[:3, :3]) > 0, "k ascends along row x column"
    np.testing.assert_allclose(affine[:3, 0], 0.5 * axes[0], atol=1e-12)
    np.testing.assert_allclose(affine[:3, 1], 0.75 * axes[1], atol=1e-12)
    assert plan.geometry.tilt_degrees == pytest.approx(math.degrees(math.atan(math.hypot(*tilt))), abs=2)


@settings(max_examples=50, deadline=None)
@given(st.sets(st.integers(1, 18), max_size=8))
def test_every_missing_slice_is_found(missing: set[int]) -> None:
    """The outermost slices are there, so that the spacing can be known from the rest."""
    records = [record for n, record in enumerate(make_series(20)) if n not in missing]
    plan = build_plan(records, PlanOptions(gaps="fill"))
    assert [k for k, slot in enumerate(plan.slots) if slot.record is None] == sorted(missing)
    assert plan.geometry.spacing[2] == pytest.approx(2.5)


@pytest.mark.parametrize(("spacing", "allowed"), [(10.0, 0.1), (2.5, 0.025), (0.5, 0.01), (0.02, 0.002)])
def test_tolerance(spacing: float, allowed: float) -> None:
    assert tolerance(spacing) == pytest.approx(allowed)


def test_positions_that_bend_are_refused() -> None:
    """Evenly spaced along the normal, but not on a line."""
    records = make_series(9)
    bent = [replace(r, position=(-20.0 + 0.02 * n * n, -30.0, 100 + 2.5 * n)) for n, r in enumerate(records)]
    with pytest.raises(GeometryError, match="uneven"):
        build_plan(bent)


def test_images_side_by_side_in_one_plane_are_refused() -> None:
    records = make_series(2, step=(16.0, 0.0, 0.0))
    with pytest.raises(GeometryError, match="from its place"):
        build_plan(records)


def test_stations_side_by_side_are_refused() -> None:
    """Two slices of a whole-body scan's stations, a little apart along the normal: no tilted stack."""
    records = make_series(2, step=(300.0, 0.0, 1.0))
    with pytest.raises(GeometryError, match="side by side") as caught:
        build_plan(records)
    assert caught.value.uid == "1.2.3.2"


def test_rounded_cosines_do_not_change_the_pixel_spacing() -> None:
    plan = build_plan(make_series(3, orientation=(0.71, 0.71, 0.0, 0.0, 0.0, -1.0)))
    assert plan.geometry.spacing[:2] == pytest.approx((0.5, 0.75))


def test_a_lone_slice_far_away_is_no_gap_to_fill() -> None:
    """Hundreds of slices missing beside a dozen that are there: that is another image, not a gap."""
    records = make_series(12)
    far = replace(make_series(1, first_number=99)[0], position=(-20.0, -30.0, 100 + 2.5e6))
    with pytest.raises(GeometryError):
        build_plan([*records, far], PlanOptions(gaps="fill"))


@pytest.mark.parametrize(
    "fields",
    [
        {"spacing": (0.0, 1.0)},
        {"spacing": (math.nan, 1.0)},
        {"orientation": (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)},
        {"orientation": (2.0, 0.0, 0.0, 0.0, 1.0, 0.0)},
        {"orientation": (math.nan,) * 6},
        {"position": (math.inf, 0.0, 0.0)},
    ],
)
def test_numbers_that_cannot_be(fields: dict[str, tuple[float, ...]]) -> None:
    records = make_series(3)
    records[1] = replace(records[1], **fields)  # type: ignore[arg-type]
    with pytest.raises(DamagedError) as caught:
        build_plan(records)
    assert caught.value.uid == "1.2.3.2"


@pytest.mark.parametrize("rows", [0, 65536])
def test_rows_out_of_range(rows: int) -> None:
    records = make_series(1)
    with pytest.raises(DamagedError, match="Rows"):
        build_plan([replace(records[0], pixel=replace(records[0].pixel, rows=rows))])


def test_a_pile_of_unrelated_images_is_refused_in_good_time() -> None:
    records = [replace(record, spacing=(1 + n / 100, 1.0)) for n, record in enumerate(make_series(300))]
    with pytest.raises(GeometryError, match="256"):
        build_plan(records)
