"""Which images belong together: the stacks in a pile of records, and the one to be built."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeAlias

from volstream.errors import DamagedError, GeometryError, SourceError, UnsupportedError, UsageError
from volstream.plan.geometry import levels
from volstream.plan.options import PlanOptions
from volstream.plan.units import is_colour, units_of
from volstream.records import Finding, FrameRecord

#: Direction cosines that differ by no more are the same. Four decimals, as some writers give, differ by up to 1e-4
#: from rounding alone; this moves the edge of a 500 mm field of view by 0.13 mm at most.
SAME_DIRECTION = 5e-4
#: Relative; pixel spacings that differ by no more shift the edge of 512 pixels by a twentieth of a pixel at most.
SAME_SPACING = 1e-4
#: So that a pile of unrelated images is refused in good time; each image is compared with each stack.
MOST_STACKS = 256
#: How far cosines may be from orthogonal unit vectors before they are taken for damage: two decimals pass.
ORTHONORMAL = 0.02

#: What images are told apart by, named as DICOM names it. `labels` of a record come on top of these.
TRAITS: dict[str, Callable[[FrameRecord], Any]] = {
    "StudyInstanceUID": lambda record: record.series.study_uid,
    "SeriesInstanceUID": lambda record: record.series.series_uid,
    "SeriesDescription": lambda record: record.series.description,
    "Modality": lambda record: record.series.modality,
    "FrameOfReferenceUID": lambda record: record.series.frame_of_reference_uid,
    "SOPInstanceUID": lambda record: record.uid,
    "InstanceNumber": lambda record: record.instance_number,
    "Rows": lambda record: record.pixel.rows,
    "Columns": lambda record: record.pixel.columns,
    "PhotometricInterpretation": lambda record: record.pixel.photometric,
    "ImageOrientationPatient": lambda record: record.orientation if is_placed(record) else None,
    "PixelSpacing": lambda record: record.spacing,
    "ImageType": lambda record: record.image_type,
    "Units": lambda record: units_of(record),
}
#: Those that a list of stacks may show.
LISTED = tuple(name for name in TRAITS if name not in ("StudyInstanceUID", "SOPInstanceUID", "InstanceNumber"))
#: What tells physical kinds apart (magnitude from phase), besides ImageType; other labels tell repetitions apart.
KINDS = ("ComplexImageComponent",)


#: Images of one size, orientation and kind, in the order of `in_order`.
Stack: TypeAlias = tuple[FrameRecord, ...]


def is_placed(record: FrameRecord) -> bool:
    return record.position is not None and record.orientation is not None


def in_order(records: Iterable[FrameRecord]) -> list[FrameRecord]:
    """By InstanceNumber, then frame, then identity: the same for every order of the input."""
    return sorted(records, key=_rank)


def choose(records: Sequence[FrameRecord], options: PlanOptions) -> tuple[Stack, tuple[Finding, ...]]:
    """The one stack to build, and what was left out by policy."""
    if not records:
        raise SourceError("there is no image to load")
    if isinstance(options.select, Mapping):
        records = _matching(records, options.select)
    for record in records:
        _check(record)
    findings: list[Finding] = []
    mosaics = [record for record in records if "MOSAIC" in record.image_type]
    if mosaics:
        findings.append(_mosaic(mosaics, options))
        records = [replace(r, position=None, orientation=None) if "MOSAIC" in r.image_type else r for r in records]
    stacks = find_stacks(records)
    if isinstance(options.select, int):
        if not 0 <= options.select < len(stacks):
            raise UsageError(f"select={options.select}: {_listing(stacks)}")
        return stacks[options.select], tuple(findings)
    sizes = {_size(stack[0]) for stack in stacks if is_placed(stack[0])}
    fitting = [is_placed(stack[0]) or _size(stack[0]) not in sizes for stack in stacks]
    lost = [record for stack, fits in zip(stacks, fitting, strict=True) if not fits for record in stack]
    if lost:
        findings.append(_missing_position(lost, options))
        stacks = [stack for stack, fits in zip(stacks, fitting, strict=True) if fits]
    if len(stacks) > 1 and options.strays == "drop" and 2 * len(stacks[0]) > len(records):
        strays = [record for stack in stacks[1:] for record in stack]
        message = f"{len(strays)} of {len(records)} images left out that do not belong to the largest stack"
        findings.append(Finding("stray", message, _uids(strays)))
        stacks = stacks[:1]
    if len(stacks) > 1:
        raise GeometryError(
            f'{_listing(stacks)}; select= picks one, strays="drop" keeps one that holds more than half of all images',
            uid=stacks[-1][0].uid,
            address=stacks[-1][0].address,
        )
    return stacks[0], tuple(findings)


def find_stacks(records: Sequence[FrameRecord]) -> list[Stack]:
    """All stacks, the largest first; the same ones in the same order for every order of the input."""
    direction = _merge({r.orientation for r in records if r.orientation and is_placed(r)}, absolute=SAME_DIRECTION)
    spacing = _merge({r.spacing for r in records if r.spacing}, relative=SAME_SPACING)
    groups: dict[tuple[Any, ...], list[FrameRecord]] = defaultdict(list)
    for record in in_order(records):
        placed = is_placed(record)
        key = (
            *_size(record),
            record.series.frame_of_reference_uid,
            direction[record.orientation] if record.orientation and placed else None,
            spacing[record.spacing] if record.spacing else None,
            units_of(record),
            "colour" if is_colour(record.pixel) else record.pixel.photometric,
            "LOCALIZER" in record.image_type,
        )
        groups[key].append(record)
    stacks = [tuple(kind) for group in groups.values() for kind in _kinds(group)]
    return sorted(stacks, key=lambda stack: (-len(stack), stack[0].series.series_uid, *_rank(stack[0])))


def _kinds(group: list[FrameRecord]) -> list[list[FrameRecord]]:
    """Split off other kinds of image at the same places; kinds that share no place are parts of one stack."""
    kinds: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for n, record in enumerate(group):
        kinds[(record.image_type, *(value for name, value in record.labels if name in KINDS))].append(n)
    if len(kinds) == 1 or not is_placed(group[0]):
        return [group]
    level = levels(group)
    places = [frozenset(level[members].tolist()) for members in kinds.values()]
    if sum(map(len, places)) == len(frozenset().union(*places)):
        return [group]
    return [[group[n] for n in members] for members in kinds.values()]


def _merge(values: set[Any], *, absolute: float = 0.0, relative: float = 0.0) -> dict[Any, Any]:
    """Map each tuple of numbers to the first, in sorted order, that it is equal to within the tolerance."""

    def near(value: Sequence[float], head: Sequence[float]) -> bool:
        pairs = zip(value, head, strict=True)
        return all(math.isclose(a, b, rel_tol=relative, abs_tol=absolute) for a, b in pairs)

    result: dict[Any, Any] = {}
    heads: list[Any] = []
    for value in sorted(values):
        head = next((head for head in heads if near(value, head)), None)
        if head is None:
            if len(heads) == MOST_STACKS:
                raise GeometryError(f"more than {MOST_STACKS} different orientations or pixel spacings: no volume")
            heads.append(head := value)
        result[value] = head
    return result


def _check(record: FrameRecord) -> None:
    """Numbers that cannot be: PS3.3 C.7.6.2.1.1, C.10.7.1.3."""

    def refuse(message: str) -> DamagedError:
        return DamagedError(message, uid=record.uid, address=record.address)

    if not (1 <= record.pixel.rows <= 65535 and 1 <= record.pixel.columns <= 65535):
        raise refuse(f"Rows {record.pixel.rows}, Columns {record.pixel.columns}: not between 1 and 65535")
    if record.spacing is not None and not all(0 < value < math.inf for value in record.spacing):
        raise refuse(f"Pixel Spacing {record.spacing}: not positive")
    if record.position is not None and not all(map(math.isfinite, record.position)):
        raise refuse(f"Image Position (Patient) {record.position}: not finite")
    if record.orientation is not None and not _is_orthonormal(record.orientation):
        raise refuse(f"Image Orientation (Patient) {record.orientation}: not two orthogonal unit vectors")


@lru_cache(maxsize=64)
def _is_orthonormal(orientation: Sequence[float]) -> bool:
    row, column = orientation[:3], orientation[3:]
    dot = sum(a * b for a, b in zip(row, column, strict=True))
    off = (math.hypot(*row) - 1, math.hypot(*column) - 1, dot)
    return all(abs(value) <= ORTHONORMAL for value in off)


def _matching(records: Sequence[FrameRecord], wanted: Mapping[str, Any]) -> list[FrameRecord]:
    """The records that have all the wanted values."""
    kept = list(records)
    for name, value in wanted.items():
        found = [trait(record, name) for record in kept]
        if all(has is None for has in found):
            known = sorted({*TRAITS, *(label for record in records for label, _ in record.labels)})
            raise UsageError(f"select: no image has {name!r}; known here: {', '.join(known)}")
        kept = [record for record, has in zip(kept, found, strict=True) if _equal(has, value)]
        if not kept:
            there = sorted({str(has) for has in found})
            raise UsageError(f"select: no image has {name} {value!r}; there are {', '.join(there[:20])}")
    return kept


def trait(record: FrameRecord, name: str) -> Any:
    """What the record says under a DICOM keyword; None if nothing."""
    if name in TRAITS:
        return TRAITS[name](record)
    return next((value for label, value in record.labels if label == name), None)


def _equal(has: Any, value: Any) -> bool:
    """Numbers within rounding; of several values (ImageType) either all in order or the one that is asked for."""
    if isinstance(has, tuple):
        if isinstance(value, str):
            return value in has
        return len(has) == len(value) and all(_equal(a, b) for a, b in zip(has, value, strict=True))
    if isinstance(has, int | float) and isinstance(value, int | float):
        return math.isclose(has, value, rel_tol=1e-6, abs_tol=1e-9)
    return bool(has == value)


def _mosaic(mosaics: Sequence[FrameRecord], options: PlanOptions) -> Finding:
    """Siemens writes the corner of the whole tiled picture as its position, so that must not be used either."""
    message = f"{len(mosaics)} Siemens MOSAIC images, each of which tiles the slices of a volume into one picture"
    if options.mosaic == "raise":
        raise UnsupportedError(
            message + '; mosaic="plane" takes them as pictures', uid=mosaics[0].uid, address=mosaics[0].address
        )
    return Finding("mosaic", message, _uids(mosaics))


def _missing_position(lost: Sequence[FrameRecord], options: PlanOptions) -> Finding:
    message = f"{len(lost)} images have no Image Position or Orientation (Patient), others of their size have both"
    if options.missing_position == "raise":
        raise GeometryError(
            message + '; missing_position="drop" leaves them out', uid=lost[0].uid, address=lost[0].address
        )
    return Finding("missing-position", message + ": left out", _uids(lost))


def _listing(stacks: Sequence[Stack]) -> str:
    """The stacks with what tells them apart."""
    shared = [{name: _text(TRAITS[name](stack[0])) for name in LISTED} for stack in stacks]
    telling = [name for name in LISTED if len({traits[name] for traits in shared}) > 1]
    lines = []
    for n, (stack, traits) in enumerate(zip(stacks, shared, strict=True)):
        told = (f", {name} {traits[name]}" for name in telling if traits[name])
        lines.append(f"{n}: {len(stack)} images" + "".join(told))
    more = f"; and {len(lines) - 20} more" if len(lines) > 20 else ""
    return f"the images form {len(stacks)} stacks [{'; '.join(lines[:20])}{more}]"


def _text(value: Any) -> str:
    """As DICOM writes it, numbers shortened."""
    if isinstance(value, tuple):
        return "\\".join(map(_text, value))
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _uids(records: Iterable[FrameRecord]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(record.uid for record in records))


def _size(record: FrameRecord) -> tuple[str, int, int]:
    return record.series.series_uid, record.pixel.rows, record.pixel.columns


def _rank(record: FrameRecord) -> tuple[Any, ...]:
    number = record.instance_number
    return number is None, number or 0, record.uid, record.frame, record.address
