"""Several images at each place: what repeats becomes the t axis, copies are duplicates.

Physical kinds (magnitude and phase) never meet here: `stacks` has already told them apart. What is left repeats
over time, b-value, echo, ... The t axis is found in this order, and described in the metadata:

1. one label that takes the same values, each once, at every slice (TemporalPositionIdentifier, EchoTime, ...);
2. the labels together that differ, likewise (b-value and gradient, echo and temporal position);
3. a clock that runs on from slice to slice (AcquisitionTime, TriggerTime), and in the end InstanceNumber: the n-th
   image at each slice is time point n, provided that no other label contradicts;
4. one or two again, with images missing: incomplete time points.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, TypeAlias

from volstream.errors import GeometryError
from volstream.plan.geometry import Grid
from volstream.plan.options import PlanOptions
from volstream.records import Finding, FrameRecord

#: Labels that may differ from slice to slice within one time point.
CLOCKS = (
    "TriggerTime", "NominalCardiacTriggerDelayTime", "FrameReferenceTime", "AcquisitionNumber",
    "FrameReferenceDateTime", "FrameAcquisitionDateTime", "AcquisitionDateTime", "AcquisitionTime", "ContentTime",
)  # fmt: skip
#: In which order labels are tried and sort the t axis. Any other label comes after the steady ones.
STEADY = (
    "TemporalPositionIndex", "TemporalPositionIdentifier", "TimeSlotVector", "TimeSliceVector", "EffectiveEchoTime",
    "EchoTime", "EchoNumbers", "InversionTime", "InversionTimes", "FlipAngle", "DiffusionBValue",
    "DiffusionDirectionality", "DiffusionGradientOrientation",
)  # fmt: skip

#: The images at each slice that has any, by k.
Places: TypeAlias = dict[int, list[FrameRecord]]
Key: TypeAlias = Callable[[FrameRecord], Any]


@dataclass(frozen=True, slots=True)
class Timeline:
    """`frames[t][k]` is the image of a slice at a time point; None where there is none."""

    frames: list[list[FrameRecord | None]]
    #: What the time points are told apart by: label -> its value at each, taken from the lowest slice.
    labels: dict[str, list[Any]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def arrange(records: Sequence[FrameRecord], grid: Grid, options: PlanOptions) -> Timeline:
    """Order the images (given `in_order`) of one stack into time points and slices."""
    places: Places = defaultdict(list)
    for record, k in zip(records, grid.index.tolist(), strict=True):
        places[k].append(record)
    findings = _drop_copies(places, options, _identity)
    if median(map(len, places.values())) == 1:  # single slices that are there more than once
        findings += _drop_copies(places, options, lambda record: None)
    if max(map(len, places.values())) == 1:
        return Timeline([_row(places, grid.count, lambda images: images[0])], {}, findings)
    names, key = _separation(places)
    if key is None:
        findings += _drop_copies(places, options, lambda record: None)
        return Timeline([_row(places, grid.count, lambda images: images[0])], {}, findings)
    return _timeline(places, grid.count, names, key, findings, options)


def _identity(record: FrameRecord) -> Any:
    return record.labels, record.instance_number, record.frame


def _row(
    places: Places, count: int, pick: Callable[[list[FrameRecord]], FrameRecord | None]
) -> list[FrameRecord | None]:
    return [pick(places[k]) if k in places else None for k in range(count)]


def _drop_copies(places: Places, options: PlanOptions, same: Key) -> tuple[Finding, ...]:
    """Keep one of the images at each place that `same` does not tell apart, if the policy allows."""
    dropped: list[FrameRecord] = []
    for k, images in places.items():
        groups: dict[Any, list[FrameRecord]] = defaultdict(list)
        for record in images:
            groups[same(record)].append(record)
        for group in groups.values():
            if len(group) > 1 and options.duplicates == "raise":
                raise GeometryError(
                    f"{len(group)} images at the same place that no label tells apart: {group[0].uid} at "
                    f'{group[0].address} and the one named here; duplicates="first" or "last" keeps one',
                    uid=group[1].uid,
                    index=k,
                    address=group[1].address,
                )
            dropped += group[1:] if options.duplicates == "first" else group[:-1]
        keep = 0 if options.duplicates == "first" else -1
        places[k] = [group[keep] for group in groups.values()]
    if not dropped:
        return ()
    message = f'{len(dropped)} images left out that repeat others at the same place (duplicates="{options.duplicates}")'
    return (Finding("duplicate", message, tuple(record.uid for record in dropped)),)


def _separation(places: Places) -> tuple[tuple[str, ...], Key | None]:
    """The labels, and the key made of them, that tell time points apart; the key is None if nothing does."""
    varying = _varying(places)
    steady = tuple(name for name in varying if name not in CLOCKS)
    together = _fewest(places, steady)
    choices = [(name,) for name in varying] + ([together] if len(together) > 1 else [])
    for names in choices:
        if _is_complete(places, _values(names)):
            return names, _values(names)
    if len({len(images) for images in places.values()}) == 1:
        for name in (*(name for name in varying if name in CLOCKS), "InstanceNumber"):
            ranks = _ranks(places, name, _values(steady))
            if ranks is not None:
                return (name, *steady), ranks
    for names in choices:
        if _is_nearly_complete(places, _values(names)):
            return names, _values(names)
    return (), None


def _varying(places: Places) -> tuple[str, ...]:
    """The labels that differ among the images of at least one place, in the order in which to try them."""
    found: set[str] = set()
    for images in places.values():
        labels = [{name: _rounded(value) for name, value in record.labels} for record in images]
        names = set().union(*labels) - found
        found |= {name for name in names if len({has.get(name) for has in labels}) > 1}
    known = [name for name in STEADY if name in found]
    clocks = [name for name in CLOCKS if name in found]
    return (*known, *sorted(found - {*known, *clocks}), *clocks)


def _fewest(places: Places, names: Sequence[str]) -> tuple[str, ...]:
    """Leave out the labels that tell nothing apart which those before them do not."""
    kept: tuple[str, ...] = ()
    count = 0
    for name in names:
        finer = sum(len({_values((*kept, name))(record) for record in images}) for images in places.values())
        if finer > count:
            kept, count = (*kept, name), finer
    return kept


def _rounded(value: Any) -> Any:
    """Floats to six digits: writers differ in the last ones between images of one time point."""
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _values(names: tuple[str, ...]) -> Key:
    def key(record: FrameRecord) -> tuple[Any, ...]:
        has = dict(record.labels)
        return tuple(_rounded(has.get(name)) for name in names)

    return key


def _is_complete(places: Places, key: Key) -> bool:
    sets = [frozenset(map(key, images)) for images in places.values()]
    return all(len(values) == len(images) for values, images in zip(sets, places.values(), strict=True)) and (
        len(set(sets)) == 1
    )


def _is_nearly_complete(places: Places, key: Key) -> bool:
    """Whether some slice has every time point and most others have most."""
    sets = [frozenset(map(key, images)) for images in places.values()]
    images = sum(map(len, places.values()))
    every = frozenset().union(*sets)
    return every in sets and sum(map(len, sets)) == images and 2 * images > len(every) * len(sets)


def _number(record: FrameRecord) -> tuple[int | None, int]:
    return record.instance_number, record.frame


def _ranks(places: Places, name: str, others: Key) -> Key | None:
    """Number the images of each place along a clock; None if two agree on it, or if `others` contradicts."""
    clock: Key = _number if name == "InstanceNumber" else _values((name,))
    rank: dict[int, int] = {}
    meaning: dict[int, Any] = {}
    for images in places.values():
        values = [clock(record) for record in images]
        if len(set(values)) < len(values) or any(part is None for value in values for part in value):
            return None
        for t, n in enumerate(sorted(range(len(images)), key=values.__getitem__)):
            rank[id(images[n])] = t
            if meaning.setdefault(t, others(images[n])) != others(images[n]):
                return None
    return lambda record: rank[id(record)]


def _timeline(
    places: Places, count: int, names: tuple[str, ...], key: Key, findings: tuple[Finding, ...], options: PlanOptions
) -> Timeline:
    """Lay the images out along t, in the order of `names`, then of InstanceNumber."""
    points: dict[Any, dict[int, FrameRecord]] = defaultdict(dict)
    for k, images in places.items():
        for record in images:
            points[key(record)][k] = record

    def position(point: Any) -> tuple[Any, ...]:
        numbers = (
            [
                value if isinstance(value, int | float) or name in CLOCKS else 0
                for name, value in zip(names, point, strict=True)
            ]
            if isinstance(point, tuple)
            else [point]
        )
        first = min((r.instance_number or 0, r.frame, r.uid) for r in points[point].values())
        return (*((value is not None, value or 0) for value in numbers), first)

    ordered = sorted(points, key=position)
    frames = [[points[point].get(k) for k in range(count)] for point in ordered]
    examples = [points[point][min(points[point])] for point in ordered]
    labels = {
        name: [r.instance_number if name == "InstanceNumber" else dict(r.labels).get(name) for r in examples]
        for name in names
    }
    told = " and ".join(names)
    found = [Finding("time", f"{len(ordered)} time points, told apart by {told}")]
    lost = [(t, k) for t, row in enumerate(frames) for k in places if row[k] is None]
    if lost:
        t, k = lost[0]
        message = (
            f"{len(lost)} of {len(ordered) * len(places)} images missing from time points told apart by {told}: "
            f"the first at time point {t}, slice {k}"
        )
        near = places[k][0]
        if options.gaps == "raise":
            raise GeometryError(
                message + '; gaps="fill" leaves them at the fill value', uid=near.uid, index=k, address=near.address
            )
        found.append(Finding("gap", message, (near.uid,)))
    return Timeline(frames, labels, (*findings, *found))
