"""Which labels tell apart the images at one place, so that what repeats becomes the t axis.

A label is steady if it takes the same values at every slice, and a clock if it runs on from slice to slice, as
AcquisitionTime often does. The t axis is the first of these that fits:

1. one steady label that tells all images of a slice apart (TemporalPositionIdentifier, EchoTime, ...);
2. several steady labels together (b-value and gradient, temporal position and echo);
3. a clock, or in the end InstanceNumber: the n-th image of each slice is time point n, as long as no steady label
   contradicts;
4. one or two again, with images missing: incomplete time points.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from volstream.records import FrameRecord

#: In which order labels are tried, and sort the t axis; any other label comes after them.
ORDER = (
    "TemporalPositionIndex", "TemporalPositionIdentifier", "TemporalPositionTimeOffset", "TriggerTime",
    "NominalCardiacTriggerDelayTime", "FrameReferenceTime", "PhaseVector", "TimeSlotVector", "TimeSliceVector",
    "EffectiveEchoTime", "EchoTime", "EchoNumbers", "InversionTime", "InversionTimes", "FlipAngle",
    "DiffusionBValue", "DiffusionGradientOrientation", "EnergyWindowVector", "DetectorVector", "SegmentNumber",
    "ReferencedSegmentNumber", "AcquisitionNumber", "FrameReferenceDateTime", "FrameAcquisitionDateTime",
    "AcquisitionDateTime", "AcquisitionTime", "ContentTime",
)  # fmt: skip
#: These are labels of nothing but order, and would hide what the others mean.
LAST = ("FrameAcquisitionNumber", "DimensionIndexValues")

#: The images at each slice that has any: k -> numbers of records.
Places: TypeAlias = dict[int, list[int]]
#: What a record says under some labels, as numbers in sorting order.
Keys: TypeAlias = list[tuple[int, ...]]


class Separation(NamedTuple):
    """`names` tell time points apart; records with equal `keys` are one time point, and keys sort the t axis."""

    names: tuple[str, ...]
    keys: Keys


def separate(records: Sequence[FrameRecord], places: Places) -> Separation | None:
    """Find what tells time points apart; None if nothing does. `records` are in order of InstanceNumber."""
    codes = _codes(records, places)
    steady = tuple(name for name in codes if _is_steady(places, codes[name]))

    def keys(names: Sequence[str]) -> Keys:
        return list(zip(*(codes[name] for name in names), strict=True)) if names else [()] * len(records)

    together = _fewest(places, {name: codes[name] for name in steady}, [0] * len(records))
    choices = [Separation(names, keys(names)) for names in ((name,) for name in steady)]
    choices += [Separation(together, keys(together))] if len(together) > 1 else []
    for choice in choices:
        if _is_complete(places, choice.keys):
            return choice
    clocks = {name: codes[name] for name in codes if name not in steady} | {"InstanceNumber": _numbers(records)}
    for name, times in clocks.items():
        ranks = _ranks(places, times, keys(steady))
        if ranks:
            return Separation((name,), ranks)
    return next((choice for choice in choices if _is_nearly_complete(places, choice.keys)), None)


def _codes(records: Sequence[FrameRecord], places: Places) -> dict[str, list[int]]:
    """For each label that differs at some place, its values as numbers in sorting order; labels as `ORDER` has it."""
    values = [dict(record.labels) for record in records]
    names = sorted({name for has in values for name in has}, key=_rank)
    differing = [
        name for name in names if any(len({values[n].get(name) for n in place}) > 1 for place in places.values())
    ]
    codes = {}
    for name in differing:
        column = [_comparable(has.get(name)) for has in values]
        distinct = list(dict.fromkeys(column))
        # Texts say nothing about order, unless they are times; then that of acquisition serves.
        if name.endswith("Time") or all(isinstance(value, float) for value in distinct):
            distinct.sort(key=lambda value: (value is None, isinstance(value, str), value))
        number = {value: code for code, value in enumerate(distinct)}
        codes[name] = [number[value] for value in column]
    return {name: column for name, column in codes.items() if len(set(column)) > 1}


def _rank(name: str) -> tuple[int, str]:
    if name in LAST:
        return len(ORDER) + 1, name
    return (ORDER.index(name) if name in ORDER else len(ORDER)), name


def _comparable(value: Any) -> Any:
    """Floats to six digits: some writers vary the others within a time point."""
    return float(f"{value:.6g}") if isinstance(value, int | float) else value


def _numbers(records: Sequence[FrameRecord]) -> list[int]:
    """InstanceNumber and frame as one number; those without any are all the same, and so told apart by nothing."""
    column = [(record.instance_number, record.frame) for record in records]
    number = {value: code for code, value in enumerate(dict.fromkeys(column))}
    return [number[value] for value in column]


def _is_steady(places: Places, codes: Sequence[int]) -> bool:
    """Whether more than half of the places, which may miss single images, have the same values."""
    sets = Counter(frozenset(codes[n] for n in place) for place in places.values())
    return 2 * max(sets.values()) > len(places)


def _fewest(places: Places, codes: dict[str, list[int]], known: list[int]) -> tuple[str, ...]:
    """Leave out the labels that tell nothing apart which those before them do not."""
    kept: tuple[str, ...] = ()
    groups = 0
    for name, column in codes.items():
        finer = {pair: code for code, pair in enumerate(dict.fromkeys(zip(known, column, strict=True)))}
        refined = [finer[pair] for pair in zip(known, column, strict=True)]
        count = sum(len({refined[n] for n in place}) for place in places.values())
        if count > groups:
            kept, known, groups = (*kept, name), refined, count
    return kept


def _is_complete(places: Places, keys: Keys) -> bool:
    """Whether every slice has every time point once."""
    sets = {frozenset(keys[n] for n in place) for place in places.values()}
    return len(sets) == 1 and all(len(place) == len(next(iter(sets))) for place in places.values())


def _is_nearly_complete(places: Places, keys: Keys) -> bool:
    """Whether no slice has a time point twice, some slice has all of them, and more than half of all images exist."""
    sets = [frozenset(keys[n] for n in place) for place in places.values()]
    images = sum(map(len, places.values()))
    every = frozenset().union(*sets)
    return every in sets and sum(map(len, sets)) == images and 2 * images > len(every) * len(sets)


def _ranks(places: Places, times: Sequence[int], others: Keys) -> Keys | None:
    """Number the images of each place along a clock; None if some agree on it, or if `others` contradicts."""
    ranks: Keys = [()] * len(times)
    meaning: dict[int, tuple[int, ...]] = {}
    length = len(next(iter(places.values())))
    for place in places.values():
        if len({times[n] for n in place}) < len(place) or len(place) != length:
            return None
        for t, n in enumerate(sorted(place, key=times.__getitem__)):
            ranks[n] = (t,)
            if meaning.setdefault(t, others[n]) != others[n]:
                return None
    return ranks
