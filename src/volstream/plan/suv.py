"""PET images in standardised uptake values: by which factor, and where that comes from. PS3.3 C.8.9, PS3.16 CID 85.

The method is the vendor-neutral pseudo-code for SUV calculation of the QIBA FDG-PET/CT profile, with Decay Correction
ADMIN besides START. Whatever it needs must be there, agree within the series and be plausible: a missing element is
an UnsupportedError, a contradiction a DamagedError, and nothing is guessed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from volstream.errors import DamagedError, UnsupportedError, VolstreamError
from volstream.plan.moments import injected, scan_start
from volstream.plan.units import is_colour
from volstream.records import Finding, FrameRecord, Injection, SeriesInfo


class Measure(NamedTuple):
    """What the dose is spread over: g, or cm2 of body surface, by weight in kg, size in cm and sex."""

    of: Callable[[float, float, str], float]
    needs_size: bool = True
    needs_sex: bool = True


#: The formulas of PS3.16 CID 85, named as its codes are in braces. "SUVlbm" takes 120 for men, as the standard has it,
#: "SUVlbm(James128)" what James wrote.
MEASURES: dict[str, Measure] = {
    "SUVbw": Measure(lambda weight, size, sex: 1000 * weight, needs_size=False, needs_sex=False),
    "SUVlbm": Measure(lambda weight, size, sex: _james(weight, size, sex, 120)),
    "SUVlbm(James128)": Measure(lambda weight, size, sex: _james(weight, size, sex, 128)),
    "SUVlbm(Janma)": Measure(lambda weight, size, sex: _janmahasatian(weight, size, sex)),
    "SUVbsa": Measure(lambda weight, size, sex: 71.84 * weight**0.425 * size**0.725, needs_sex=False),
    "SUVibw": Measure(lambda weight, size, sex: _ideal(size, sex)),
}
#: Units and SUV Type (0054,1006) of values that are SUV already; without a type the first of its units. PS3.3 C.8.9.1.
_TYPES = {
    "GML": {
        "BW": "SUVbw",
        "LBM": "SUVlbm",
        "LBMJAMES128": "SUVlbm(James128)",
        "LBMJANMA": "SUVlbm(Janma)",
        "IBW": "SUVibw",
    },
    "CM2ML": {"BSA": "SUVbsa"},
}
_TIMES = {"SeriesDate": "series_date", "SeriesTime": "series_time", "GEScanDateTime (0009,100D)": "ge_scan_start"}
#: What is out of these bounds was written in another unit: MBq or mCi, grams, centimetres, minutes.
_BOUNDS = {
    "PatientWeight": (0.001, 700, "kg"),
    "PatientSize": (0.02, 3, "m"),
    "RadionuclideTotalDose": (1e5, 1e12, "Bq"),
    "RadionuclideHalfLife": (60, 1e9, "s"),
}


def in_suv(
    stack: Sequence[FrameRecord], records: Sequence[FrameRecord], units: str
) -> tuple[tuple[FrameRecord, ...], Finding]:
    """The images of a stack with rescales that give `units`, a key of `MEASURES`, and a finding that tells the factor.

    `records` are all that there are of its series: one factor holds for all of it, from its first acquisition on.
    """
    for record in stack:
        _check(record)
    series = [r for r in records if r.series.series_uid == stack[0].series.series_uid and r.series.pet is not None]
    factor, source = _factor(_Header(stack[0], series), units)
    if not (math.isfinite(factor) and factor > 0):
        raise DamagedError(f"{units} would be {factor:g} times the values: {source}").located(
            uid=stack[0].uid, address=stack[0].address
        )
    infos: dict[SeriesInfo, SeriesInfo] = {}
    converted = tuple(_converted(record, factor, units, infos) for record in stack)
    return converted, Finding("suv", f"{units} is {factor:.7g} times the rescaled values: {source}")


def _check(record: FrameRecord) -> None:
    """That the image is one of which SUV can be had. PS3.3 C.8.9.4."""
    pet = record.series.pet
    error: VolstreamError | None = None
    if pet is None:
        error = UnsupportedError(f"SUV are of PET: Modality is {record.series.modality or 'absent'}")
    elif is_colour(record.pixel) or record.rescale.table is not None:
        error = UnsupportedError("SUV of colours, or of values behind a Modality LUT")
    elif missing := {"ATTN", "DECY"}.difference(pet.corrected):
        error = UnsupportedError(f"SUV need {' and '.join(sorted(missing))}, which CorrectedImage does not list")
    elif pet.decay_correction not in ("START", "ADMIN"):
        error = UnsupportedError(f"SUV need DecayCorrection START or ADMIN, it is {pet.decay_correction or 'absent'}")
    if error:
        raise error.located(uid=record.uid, address=record.address)


@dataclass(frozen=True, slots=True)
class _Header:
    """What the instances of a series say in common, looked up when it is needed."""

    #: What errors name, unless they know better.
    first: FrameRecord
    series: Sequence[FrameRecord]

    def agreed(self, keyword: str, name: str) -> Any:
        """The value of a field of `PetInfo`, which must be the same in all instances (PS3.3 A.21, C.8.9.1)."""
        found: dict[Any, FrameRecord] = {}
        for record in self.series:
            found.setdefault(getattr(record.series.pet, name), record)
        if len(found) > 1:
            (one, _), (other, record) = list(found.items())[:2]
            message = f"{keyword} differs within the series: {one!r} and {other!r}"
            raise DamagedError(message).located(uid=record.uid, address=record.address)
        return next(iter(found))

    def refused(self, error: VolstreamError) -> VolstreamError:
        return error.located(uid=self.first.uid, address=self.first.address)

    def plausible(self, keyword: str, value: float | None) -> float:
        low, high, unit = _BOUNDS[keyword]
        if value is None:
            raise self.refused(UnsupportedError(f"{keyword} is absent, or no number"))
        if not low <= value <= high:
            raise self.refused(
                DamagedError(f"{keyword} is {value:g} {unit}, not within {low:g} and {high:g}: another unit?")
            )
        return value


def _factor(header: _Header, units: str) -> tuple[float, str]:
    """Wanted SUV for each unit of the rescaled values, and how it is had."""
    stored = header.first.series.units
    if stored in _TYPES:
        named = header.agreed("SUVType", "suv_type") or next(iter(_TYPES[stored]))
        if named not in _TYPES[stored]:
            raise header.refused(UnsupportedError(f"SUVType is {named}, Units are {stored}"))
        return _between(header, 1.0, _TYPES[stored][named], units, f"Units {stored}, SUVType {named}")
    if stored == "BQML":
        return _of_activity(header, 1.0, units, "Units BQML")
    if stored == "CNTS":
        return _of_counts(header, units)
    raise header.refused(
        UnsupportedError(f"Units are {stored or 'absent'}; SUV are had from BQML, GML, CM2ML and Philips' CNTS")
    )


def _of_counts(header: _Header, units: str) -> tuple[float, str]:
    """Philips' counts: private factors make SUV of them, or Bq/ml."""
    name = "PhilipsSUVScaleFactor (7053,1000)"
    if scale := header.agreed(name, "philips_suv"):
        return _between(header, scale, "SUVbw", units, f"Units CNTS, {name} {scale:g}")
    name = "PhilipsActivityConcentrationScaleFactor (7053,1009)"
    if scale := header.agreed(name, "philips_activity"):
        return _of_activity(header, scale, units, f"Units CNTS, {name} {scale:g}")
    message = f"Units are CNTS; neither PhilipsSUVScaleFactor (7053,1000) nor {name} is there"
    raise header.refused(UnsupportedError(message))


def _between(header: _Header, scale: float, have: str, want: str, source: str) -> tuple[float, str]:
    """From one SUV to another: no dose is needed."""
    if have == want:
        return scale, source
    (divisor, _), (measure, body) = _body(header, have), _body(header, want)
    return scale * measure / divisor, f"{source}, {body}"


def _of_activity(header: _Header, scale: float, units: str, source: str) -> tuple[float, str]:
    """From activity concentration: `scale` makes Bq/ml of the values."""
    measure, body = _body(header, units)
    injection = _injection(header)
    dose = header.plausible("RadionuclideTotalDose", injection.dose)
    source = f"{source}, {body}, {dose / 1e6:g} MBq"
    if header.agreed("DecayCorrection", "decay_correction") == "ADMIN":
        return scale * measure / dose, f"{source}, DecayCorrection ADMIN"
    half_life = header.plausible("RadionuclideHalfLife", injection.half_life)
    for keyword, name in _TIMES.items():
        header.agreed(keyword, name)
    began = scan_start(header.series)
    given = injected(injection, half_life, began.time, header.first)
    decay = 2 ** (-(began.time - given.time).total_seconds() / half_life)
    source += f", DecayCorrection START: injected {given}, half life {half_life:g} s, scan start {began}"
    return scale * measure / (dose * decay), source


def _injection(header: _Header) -> Injection:
    """The only one: of several tracers nothing tells which a voxel shows, nor of several doses whether they add up."""
    found: set[Injection] = set(header.agreed("RadiopharmaceuticalInformationSequence", "injections"))
    if len(found) != 1:
        count = f"has {len(found)} different items" if found else "is absent"
        raise header.refused(UnsupportedError(f"RadiopharmaceuticalInformationSequence {count}; SUV need one"))
    return next(iter(found))


def _body(header: _Header, units: str) -> tuple[float, str]:
    """The patient's measure, g or cm2, and in words what it is from."""
    of, needs_size, needs_sex = MEASURES[units]
    weight = header.plausible("PatientWeight", header.agreed("PatientWeight", "weight"))
    size, sex, words = 0.0, "", f"{weight:g} kg"
    if needs_size:
        size = header.plausible("PatientSize", header.agreed("PatientSize", "size"))
        words += f", {size:g} m"
    if needs_sex:
        sex = header.agreed("PatientSex", "sex")
        if sex not in ("F", "M"):
            raise header.refused(UnsupportedError(f"PatientSex is {sex or 'absent'}; {units} is defined for F and M"))
        words += f", {sex}"
    measure = of(weight, 100 * size, sex)
    if measure <= 0:
        raise header.refused(DamagedError(f"the formula of {units} gives no positive measure of {words}"))
    return measure, words


def _james(weight: float, size: float, sex: str, men: float) -> float:
    ratio = (weight / size) ** 2
    return 1000 * (1.07 * weight - 148 * ratio if sex == "F" else 1.10 * weight - men * ratio)


def _janmahasatian(weight: float, size: float, sex: str) -> float:
    index = weight / (size / 100) ** 2
    return 1000 * 9270 * weight / (8780 + 244 * index if sex == "F" else 6680 + 216 * index)


def _ideal(size: float, sex: str) -> float:
    return 1000 * (45.5 + 0.91 * (size - 152) if sex == "F" else 48.0 + 1.06 * (size - 152))


def _converted(record: FrameRecord, factor: float, units: str, infos: dict[SeriesInfo, SeriesInfo]) -> FrameRecord:
    """Each slice keeps its own slope. What is given in rescaled values, the window, goes with them."""
    info = infos.get(record.series) or infos.setdefault(record.series, replace(record.series, units=units))
    rescale, window = record.rescale, record.window
    return replace(
        record,
        series=info,
        rescale=replace(rescale, slope=rescale.slope * factor, intercept=rescale.intercept * factor, type=units),
        window=window and (window[0] * factor, window[1] * factor),
    )
