"""The images of one stack in space: which slice each is, and the affine. PS3.3 C.7.6.2.1.1.

Tolerances. A slice may be off its place by 1 % of the slice spacing, the figure that highdicom uses too, so that
the affine never lies by more than a hundredth of a voxel; and by 0.01 mm in any case, since scanners write
positions with as few as two decimals, but then by no more than a tenth of the spacing (micro-CT).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from volstream.errors import GeometryError
from volstream.plan.model import Float64Array
from volstream.plan.options import PlanOptions
from volstream.records import Finding, FrameRecord

#: Degrees of tilt beyond which images are no stack; gantries tilt by 30 at most.
STEEPEST = 60.0

IntArray = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """The slices of a stack: `index[n]` is the slice (k) of the n-th record, `count` their number, gaps included."""

    index: IntArray
    count: int
    affine: Float64Array
    findings: tuple[Finding, ...]
    is_placed: bool = True


def tolerance(spacing: float) -> float:
    """How far from its place a slice may be, in mm."""
    return max(0.01 * spacing, min(0.01, 0.1 * spacing))


def levels(records: Sequence[FrameRecord]) -> IntArray:
    """Number the planes in which the (placed, parallel) records lie, ascending along the normal.

    Records closer than 1 % of a pixel lie in the same plane.
    """
    _, _, normal = _axes(records)
    distance = _positions(records) @ normal
    order = np.argsort(distance, kind="stable")
    apart = np.diff(distance[order]) > 0.01 * max(_pixel_spacing(records)[0])
    result = np.empty(len(records), np.intp)
    result[order] = np.concatenate([[0], np.cumsum(apart)])
    return result


def locate(records: Sequence[FrameRecord], options: PlanOptions) -> Grid:
    """Place the records of one stack, which all have a position and (nearly) the same orientation."""
    row, column, normal = _axes(records)
    (between_rows, between_columns), findings = _pixel_spacing(records)
    findings += _orientation_jitter(records)
    positions = _positions(records)
    level = levels(records)
    planes = _planes(positions, level)
    if len(planes) == 1:
        thickness, found = _thickness(records)
        step, index = thickness * normal, np.zeros(1, np.intp)
        findings += found
    else:
        step, index = _step(planes, planes @ normal)
    place = planes[0] + index[level][:, None] * step
    off = np.linalg.norm(positions - place, axis=1)
    if off.max() > tolerance(float(np.linalg.norm(step))):
        findings += (_uneven(records, planes, level, off, step, options),)
        index = np.arange(len(planes))
    elif off.max() > 0.001 * np.linalg.norm(step):
        findings += (Finding("jitter", f"slices lie up to {off.max():.2g} mm off even spacing, within tolerance"),)
    count = int(index[-1]) + 1
    if count > len(planes):
        findings += (_gaps(records, level, index, step, options),)
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack([row * between_columns, column * between_rows, step])
    affine[:3, 3] = planes[0]
    return Grid(index[level], count, affine, findings + _tilt(affine, count, records[int(level.argmax())]))


def line_up(records: Sequence[FrameRecord]) -> Grid:
    """Put records without position one behind the other, in the order given: pictures, not places."""
    (between_rows, between_columns), findings = _pixel_spacing(records)
    message = "no Image Position and Orientation (Patient): frames are in the order of InstanceNumber, not placed"
    affine = np.diag([between_columns, between_rows, 1.0, 1.0])
    found = Finding("no-position", message)
    # The same frame given twice is a duplicate here too.
    number = {key: n for n, key in enumerate(dict.fromkeys((record.uid, record.frame) for record in records))}
    index = np.array([number[record.uid, record.frame] for record in records])
    return Grid(index, len(number), affine, (*findings, found), is_placed=False)


def _axes(records: Sequence[FrameRecord]) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Row direction, column direction and normal, of unit length though headers round them.

    The median takes the jitter out and keeps equal values exact.
    """
    cosines = _median(np.array([record.orientation for record in records]))
    row, column = cosines[:3] / np.linalg.norm(cosines[:3]), cosines[3:] / np.linalg.norm(cosines[3:])
    normal = np.cross(row, column)
    return row, column, normal / np.linalg.norm(normal)


def _orientation_jitter(records: Sequence[FrameRecord]) -> tuple[Finding, ...]:
    spread = float(np.ptp(np.array([record.orientation for record in records]), axis=0).max())
    if spread == 0:
        return ()
    return (Finding("orientation", f"direction cosines differ by up to {spread:.2g}: their median is used"),)


def _positions(records: Sequence[FrameRecord]) -> Float64Array:
    return np.array([record.position for record in records], np.float64)


def _pixel_spacing(records: Sequence[FrameRecord]) -> tuple[tuple[float, float], tuple[Finding, ...]]:
    """(between rows, between columns); the records of a stack agree on it."""
    spacing = records[0].spacing
    if spacing is None:
        return (1.0, 1.0), (Finding("no-spacing", "no Pixel Spacing: 1 mm is assumed"),)
    return (float(spacing[0]), float(spacing[1])), ()


def _median(values: Float64Array) -> Float64Array:
    """Along the first axis. numpy's own imports `numpy.ma` at its first use, which takes longer than all of a plan."""
    ordered, middle = np.sort(values, axis=0), len(values) // 2
    median: Float64Array = ordered[middle] if len(values) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    return median


def _planes(positions: Float64Array, level: IntArray) -> Float64Array:
    """One position a plane. As with the axes, the median keeps equal values exact."""
    order = np.argsort(level, kind="stable")
    if level[order[-1]] == len(level) - 1:  # one image a plane
        return positions[order]
    groups = np.split(positions[order], np.flatnonzero(np.diff(level[order])) + 1)
    return np.array([group[0] if len(group) == 1 else _median(group) for group in groups])


def _thickness(records: Sequence[FrameRecord]) -> tuple[float, tuple[Finding, ...]]:
    """The step of a single slice, which nothing but the header tells."""
    record = records[0]
    for name, value in (
        ("SpacingBetweenSlices", record.spacing_between_slices),
        ("SliceThickness", record.slice_thickness),
    ):
        if value:
            return abs(value), (Finding("single-slice", f"one slice: its spacing, {abs(value):g} mm, is {name}"),)
    return 1.0, (Finding("single-slice", "one slice, and no header tells its thickness: 1 mm is assumed"),)


def _step(planes: Float64Array, distance: Float64Array) -> tuple[Float64Array, IntArray]:
    """The step vector between slices, and the slice number of each plane.

    The step runs from the first to the last plane, so both are met exactly and rounding does not add up. Where
    slices are missing, some planes are a multiple of the spacing apart. The usual (median) distance is tried as
    the spacing first; then the smallest, for series in which most slices are missing.
    """
    distances = np.diff(distance)
    for spacing in (float(_median(distances)), distances.min()):
        numbers = np.maximum(np.rint(distances / spacing), 1)
        if numbers.sum() > 2 * len(planes):
            continue  # more slices missing than there: rather a stray image, or no common spacing at all
        index = np.concatenate([[0], np.cumsum(numbers)]).astype(np.intp)
        step = (planes[-1] - planes[0]) / index[-1]
        off = np.linalg.norm(planes - planes[0] - index[:, None] * step, axis=1).max()
        if off <= tolerance(float(np.linalg.norm(step))):
            return step, index
    return (planes[-1] - planes[0]) / (len(planes) - 1), np.arange(len(planes))


def _uneven(
    records: Sequence[FrameRecord],
    planes: Float64Array,
    level: IntArray,
    off: Float64Array,
    step: Float64Array,
    options: PlanOptions,
) -> Finding:
    """Report, or refuse, that slices are not evenly spaced on a line; name the image that breaks it."""
    spacing = float(np.linalg.norm(step))
    worst = int(off.argmax())
    message = f"an image lies {off[worst]:.4g} mm from its place in a stack of {len(planes)}, {spacing:.4g} mm apart"
    steps = np.diff(planes, axis=0)
    if len(steps) > 1:
        usual = _median(steps)
        jumps = np.linalg.norm(steps - usual, axis=1)
        if jumps.max() > tolerance(spacing):
            k = int(jumps.argmax()) + 1
            worst = int(np.flatnonzero(level == k)[0])
            message = (
                f"slices are not evenly spaced: slice {k} lies {_text(steps[k - 1])} mm from the one before, the "
                f"usual step is {_text(usual)} mm; slices are up to {off.max():.4g} mm off an even grid"
            )
    message += f", {tolerance(spacing):.3g} mm are tolerated"
    if options.uneven == "raise" or len(planes) == 1:
        remedy = '; uneven="mean" puts them on an even grid' if len(planes) > 1 else ""
        raise GeometryError(
            message + remedy, uid=records[worst].uid, index=int(level[worst]), address=records[worst].address
        )
    return Finding("uneven", message, (records[worst].uid,))


def _text(vector: Float64Array) -> str:
    return "(" + ", ".join(f"{value:.5g}" for value in vector) + ")"


def _gaps(
    records: Sequence[FrameRecord], level: IntArray, index: IntArray, step: Float64Array, options: PlanOptions
) -> Finding:
    """Report, or refuse, slices that are not there."""
    before = np.flatnonzero(np.diff(index) > 1)
    missing = [k for n in before for k in range(index[n] + 1, index[n + 1])]
    first = records[int(np.flatnonzero(level == before[0])[0])]
    where = ", ".join(str(k) for k in missing[:10]) + (", ..." if len(missing) > 10 else "")
    message = (
        f"{len(missing)} of {index[-1] + 1} slices missing, {np.linalg.norm(step):.5g} mm apart: slice {where}, "
        f"the first after the instance at {_text(np.array(first.position))} mm"
    )
    if options.gaps == "raise":
        raise GeometryError(
            message + '; gaps="fill" leaves them at the fill value',
            uid=first.uid,
            index=missing[0],
            address=first.address,
        )
    return Finding("gap", message, (first.uid,))


def _tilt(affine: Float64Array, count: int, last: FrameRecord) -> tuple[Finding, ...]:
    """Report a shear that shifts the last slice by more than a tenth of a pixel against the first."""
    row, column, step = affine[:3, :3].T
    normal = np.cross(row, column)
    normal /= np.linalg.norm(normal)
    along = float(step @ normal)
    shift = float(np.linalg.norm(step - along * normal))
    if shift * (count - 1) <= 0.1 * min(np.linalg.norm(row), np.linalg.norm(column)):
        return ()
    angle = math.degrees(math.atan2(shift, along))
    if angle > STEEPEST:
        raise GeometryError(
            f"images lie side by side rather than one behind the other: from one to the next {_text(step)} mm, "
            f"{angle:.1f} degrees off the normal of the slices",
            uid=last.uid,
            index=count - 1,
            address=last.address,
        )
    return (Finding("tilt", f"the stack is tilted by {angle:.2f} degrees; the affine holds it as shear"),)
