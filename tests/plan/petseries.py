"""Records of a PET series: 74 MBq of F-18 into 70 kg at 9:30, a scan at 10:30, unless a test says otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from plan.series import make_series
from volstream.plan import PlanOptions, build_plan
from volstream.records import Finding, FrameRecord, Injection, PetInfo, PixelFormat, Rescale, SeriesInfo

HALF_LIFE = 6586.2
RESCALE = Rescale(0.5, 0.0)
INJECTION = Injection(dose=74e6, half_life=HALF_LIFE, start="20240102093000", start_time="093000")
PET = PetInfo(
    corrected=("DECY", "ATTN", "SCAT"),
    decay_correction="START",
    weight=70.0,
    size=1.75,
    sex="M",
    series_date="20240102",
    series_time="103000",
    injections=(INJECTION,),
    acquisition_date="20240102",
)


def pet_series(
    count: int = 2,
    *,
    units: str = "BQML",
    times: Sequence[str] = ("103000",),
    rescale: Rescale = RESCALE,
    injection: dict[str, Any] | None = None,
    **said: Any,
) -> list[FrameRecord]:
    """`said` are fields of `PetInfo`, `injection` of its only item; `times` are of the slices' acquisition, in turn."""
    if injection is not None:
        said["injections"] = (replace(INJECTION, **injection),)
    info = SeriesInfo(
        "1.2", "1.2.3", "1.2.840.10008.5.1.4.1.1.128", "PT", "1.2.9", units=units, pet=replace(PET, **said)
    )
    records = make_series(count, series=info, pixel=PixelFormat(24, 32, 16, 16, 15), rescale=rescale)
    return [replace(record, labels=(("AcquisitionTime", times[n % len(times)]),)) for n, record in enumerate(records)]


def said_of(record: FrameRecord, **said: Any) -> FrameRecord:
    """The record with other fields of `PetInfo`."""
    assert record.series.pet is not None
    return replace(record, series=replace(record.series, pet=replace(record.series.pet, **said)))


def converted(records: Sequence[FrameRecord], units: str = "SUVbw") -> tuple[list[float], Finding]:
    """Each slice's factor, as the change of its slope, and the finding about it."""
    plan = build_plan(records, PlanOptions(units=units))
    slopes = {record.uid: record.rescale.slope for record in records}
    factors = [slot.rescale.slope / slopes[slot.record.uid] for slot in plan.slots if slot.record is not None]
    (finding,) = [finding for finding in plan.geometry.findings if finding.kind == "suv"]
    return factors, finding


def factor_of(records: Sequence[FrameRecord], units: str = "SUVbw") -> float:
    """The one factor of all slices."""
    factors, _ = converted(records, units)
    assert max(factors) - min(factors) <= 1e-12 * max(factors)
    return factors[0]
