"""Several images at each place: copies are duplicates, what else repeats becomes the t axis.

Physical kinds (magnitude and phase) never meet here: `stacks` has already told them apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from volstream.errors import GeometryError
from volstream.plan.geometry import Grid
from volstream.plan.options import PlanOptions
from volstream.plan.separation import Places, Separation, separate
from volstream.records import Finding, FrameRecord


@dataclass(frozen=True, slots=True)
class Timeline:
    """`frames[t][k]` is the image of a slice at a time point; None where there is none."""

    frames: list[list[FrameRecord | None]]
    #: Label -> its value at each time point; of a clock, which runs on within them, the value at the lowest slice.
    labels: dict[str, list[Any]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def arrange(records: Sequence[FrameRecord], grid: Grid, options: PlanOptions) -> Timeline:
    """Order the images of one stack, given in order of InstanceNumber, into time points and slices."""
    places: Places = defaultdict(list)
    for n, k in enumerate(grid.index.tolist()):
        places[k].append(n)
    if len(places) == len(records):
        return _single(records, places, grid.count, ())
    findings = _drop_copies(records, places, options, _identity)
    if median(map(len, places.values())) == 1:  # a few slices are there more than once
        findings += _drop_copies(records, places, options, lambda record: None)
    if max(map(len, places.values())) == 1:
        return _single(records, places, grid.count, findings)
    separation = separate(records, places)
    if separation is None:
        findings += _drop_copies(records, places, options, lambda record: None)
        return _single(records, places, grid.count, findings)
    return _timeline(records, places, grid.count, separation, findings, options)


def _single(records: Sequence[FrameRecord], places: Places, count: int, findings: tuple[Finding, ...]) -> Timeline:
    """One time point."""
    return Timeline([[records[places[k][0]] if k in places else None for k in range(count)]], {}, findings)


def _identity(record: FrameRecord) -> Any:
    return record.labels, record.instance_number, record.frame


def _drop_copies(
    records: Sequence[FrameRecord], places: Places, options: PlanOptions, same: Callable[[FrameRecord], Any]
) -> tuple[Finding, ...]:
    """Keep one of the images at each place that `same` does not tell apart, if the policy allows."""
    dropped: list[FrameRecord] = []
    keep = -1 if options.duplicates == "last" else 0
    for k, place in places.items():
        groups: dict[Any, list[int]] = defaultdict(list)
        for n in place:
            groups[same(records[n])].append(n)
        for group in groups.values():
            if len(group) > 1 and options.duplicates == "raise":
                first, second = records[group[0]], records[group[1]]
                raise GeometryError(
                    f"{len(group)} images at the same place that no label tells apart: {first.uid} at "
                    f'{first.address} and the one named here; duplicates="first" or "last" keeps one',
                    uid=second.uid,
                    index=k,
                    address=second.address,
                )
            dropped += [records[n] for n in group if n != group[keep]]
        places[k] = sorted(group[keep] for group in groups.values())
    if not dropped:
        return ()
    message = f'{len(dropped)} images left out that repeat others at the same place (duplicates="{options.duplicates}")'
    return (Finding("duplicate", message, tuple(record.uid for record in dropped)),)


def _timeline(
    records: Sequence[FrameRecord],
    places: Places,
    count: int,
    separation: Separation,
    findings: tuple[Finding, ...],
    options: PlanOptions,
) -> Timeline:
    """Lay the images out along t."""
    points: dict[tuple[int, ...], dict[int, FrameRecord]] = defaultdict(dict)
    for k in sorted(places):
        for n in places[k]:
            points[separation.keys[n]][k] = records[n]
    ordered = [points[key] for key in sorted(points)]
    told = " and ".join(separation.names)
    found = [Finding("time", f"{len(ordered)} time points, told apart by {told}")]
    missing = [(t, k) for t, point in enumerate(ordered) for k in sorted(places) if k not in point]
    if missing:
        t, k = missing[0]
        message = (
            f"{len(missing)} of {len(ordered) * len(places)} images missing from time points told apart by {told}: "
            f"the first at time point {t}, slice {k}"
        )
        near = records[places[k][0]]
        if options.gaps == "raise":
            raise GeometryError(
                message + '; gaps="fill" leaves them at the fill value', uid=near.uid, index=k, address=near.address
            )
        found.append(Finding("gap", message, (near.uid,)))
    frames = [[point.get(k) for k in range(count)] for point in ordered]
    labels = _described(separation.names, [list(point.values()) for point in ordered])
    return Timeline(frames, labels, (*findings, *found))


def _described(names: tuple[str, ...], points: Sequence[Sequence[FrameRecord]]) -> dict[str, list[Any]]:
    """The labels of each time point: those that tell them apart, and all others that its images agree on."""
    shared = [dict(set.intersection(*(set(record.labels) for record in point))) for point in points]
    others = sorted({name for has in shared for name in has} - set(names))
    lowest = [{"InstanceNumber": point[0].instance_number, **dict(point[0].labels)} for point in points]
    labels: dict[str, list[Any]] = {name: [has.get(name) for has in lowest] for name in names}
    for name in others:
        values = [has.get(name) for has in shared]
        if len(set(values)) > 1:
            labels[name] = values
    return labels
