"""When a PET scan began and when the tracer was injected, from dates and times as DICOM writes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from volstream.errors import DamagedError, UnsupportedError, VolstreamError
from volstream.records import FrameRecord, Injection

#: Half lives between injection and scan beyond which one of the two times is wrong: a thousandth would be left.
MOST_HALF_LIVES = 10
#: Tracers that live longer, s, are scanned on later days too, so a time alone does not tell when they were injected.
LONG_LIVED = 6 * 3600.0

#: A DT, or a DA and a TM one behind the other; hours and minutes at least. PS3.5 6.2.
_DATE_TIME = re.compile(r"(\d{8})([01]\d|2[0-3])([0-5]\d)(?:([0-5]\d|60)(?:\.(\d{1,6}))?)?([+-]\d{4})?")
_OFFSET = re.compile(r"[+-]\d{4}")


class Moment(NamedTuple):
    """A time by the scanner's clock, and which element it is from."""

    time: datetime
    source: str

    def __str__(self) -> str:
        return f"{self.time:%Y-%m-%d %H:%M:%S} ({self.source})"


def scan_start(series: Sequence[FrameRecord]) -> Moment:
    """To which values are decayed with Decay Correction START (PS3.3 C.8.9.1): one time for all beds.

    That is the series' own date and time, unless those are later than an acquisition: then post-processing has
    overwritten them. GE's own element is next; without it, the first acquisition of the series, if all of it is there.
    """
    first, earliest = _first_acquisition(series)
    pet = first.series.pet
    assert pet is not None
    for text, source in (
        (pet.series_date and pet.series_time and pet.series_date + pet.series_time, "SeriesDate and SeriesTime"),
        (pet.ge_scan_start, "GEScanDateTime (0009,100D)"),
    ):
        if text and (began := parse(text, source, pet.timezone, first)) <= earliest:
            return Moment(began, source)
    if len(series) < (pet.slices or 0):
        message = "SeriesTime is absent, or later than an acquisition, and the first acquisition is not known from "
        message += f"{len(series)} of {pet.slices} images: SUV need the whole series"
        raise _located(UnsupportedError(message), first)
    return Moment(earliest, "the earliest AcquisitionDate and AcquisitionTime")


def injected(injection: Injection, half_life: float, began: datetime, record: FrameRecord) -> Moment:
    """When the tracer was given, `began` being the start of the scan and `record` what errors name.

    A time without a date is that of the last such time before the scan, which may be the day before.
    """
    pet = record.series.pet
    assert pet is not None
    if injection.start:
        source = "RadiopharmaceuticalStartDateTime"
        given = parse(injection.start, source, pet.timezone, record)
    elif injection.start_time:
        source = "RadiopharmaceuticalStartTime"
        if half_life > LONG_LIVED:
            raise _located(
                UnsupportedError(f"the day of injection is not told: {source} alone, half life {half_life:g} s"), record
            )
        given = parse(f"{began:%Y%m%d}{injection.start_time}", source, "", record)
        if given > began:
            given -= timedelta(days=1)
    else:
        message = "RadiopharmaceuticalStartDateTime and RadiopharmaceuticalStartTime are absent"
        raise _located(UnsupportedError(message), record)
    if not 0 <= (began - given).total_seconds() <= MOST_HALF_LIVES * half_life:
        message = f"{source} {given} does not fit the scan's start {began} and a half life of {half_life:g} s"
        raise _located(DamagedError(message), record)
    return Moment(given, source)


def parse(text: str, source: str, timezone: str, record: FrameRecord) -> datetime:
    """A date with a time, by the local clock. `timezone` is Timezone Offset From UTC, which an offset needs."""
    found = _DATE_TIME.fullmatch(text)
    try:
        if not found:
            raise ValueError
        date, hour, minute, second, fraction, offset = found.groups(default="")
        time = datetime.strptime(date, "%Y%m%d") + timedelta(
            hours=int(hour),
            minutes=int(minute),
            seconds=int(second or 0),
            microseconds=int(fraction.ljust(6, "0")) if fraction else 0,
        )
    except (ValueError, OverflowError):
        raise _located(DamagedError(f"{source} is {ascii(text)[:60]}, no date with a time"), record) from None
    if not offset:
        return time
    if not _OFFSET.fullmatch(timezone):
        message = f"{source} is {text}, but TimezoneOffsetFromUTC is absent, which the other times are in"
        raise _located(UnsupportedError(message), record)
    return time - _minutes(offset) + _minutes(timezone)


def _minutes(offset: str) -> timedelta:
    distance = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:]))
    return -distance if offset[0] == "-" else distance


def _first_acquisition(series: Sequence[FrameRecord]) -> tuple[FrameRecord, datetime]:
    # Slices of a bed share their time, so few texts are parsed.
    texts: dict[tuple[str, str], FrameRecord] = {}
    for record in series:
        pet, labels = record.series.pet, dict(record.labels)
        date, time = pet.acquisition_date if pet else "", str(labels.get("AcquisitionTime", ""))
        if not (date and time):
            date, time = "", str(labels.get("AcquisitionDateTime", ""))
        if not time:
            raise _located(UnsupportedError("AcquisitionDate and AcquisitionTime are absent"), record)
        texts.setdefault((date, time), record)
    source = "AcquisitionDate and AcquisitionTime"
    times = {}
    for (date, time), record in texts.items():
        pet = record.series.pet
        times[parse(date + time, source, pet.timezone if pet else "", record)] = record
    earliest = min(times)
    return times[earliest], earliest


def _located(error: VolstreamError, record: FrameRecord) -> VolstreamError:
    return error.located(uid=record.uid, address=record.address)
