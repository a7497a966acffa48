"""When the scan began, when the tracer was given: which of the headers' times counts."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from plan.petseries import HALF_LIFE, converted, factor_of, pet_series
from volstream.errors import DamagedError, UnsupportedError
from volstream.plan.moments import parse


def seconds(**said: Any) -> float:
    """From injection to the start of the scan, by the factor alone."""
    return HALF_LIFE * math.log2(factor_of(pet_series(4, **said)) * 74e6 / 70_000)


@pytest.mark.parametrize(
    ("said", "expected", "source"),
    [
        ({}, 3600, "SeriesDate and SeriesTime"),
        ({"series_time": "102000"}, 3000, "SeriesDate and SeriesTime"),
        ({"times": ("110000", "104500")}, 3600, "SeriesDate and SeriesTime"),
        # Post-processing has overwritten the series' time.
        ({"series_time": "103001"}, 3600, "the earliest AcquisitionDate and AcquisitionTime"),
        ({"series_date": "20240105", "times": ("104500", "103000")}, 3600, "the earliest AcquisitionDate"),
        ({"series_time": "", "series_date": ""}, 3600, "the earliest AcquisitionDate and AcquisitionTime"),
        ({"series_time": "150000", "ge_scan_start": "20240102102500.00"}, 3300, "GEScanDateTime (0009,100D)"),
        ({"series_time": "150000", "ge_scan_start": "20240102150000.00"}, 3600, "the earliest AcquisitionDate"),
        ({"ge_scan_start": "20240102102500.00"}, 3600, "SeriesDate and SeriesTime"),
    ],
)
def test_the_scan_starts(said: dict[str, Any], expected: float, source: str) -> None:
    assert seconds(**said) == pytest.approx(expected, abs=1e-6)
    assert f"({source}" in converted(pet_series(4, **said))[1].message


@pytest.mark.parametrize(
    ("said", "injection", "expected"),
    [
        ({}, {"start": "20240102093000.5"}, 3599.5),
        ({}, {"start": "202401020930"}, 3600),
        ({}, {"start": ""}, 3600),
        ({}, {"start": "", "start_time": "103000"}, 0),
        # Injection before midnight, scan after.
        ({"series_time": "003000", "times": ("003000",)}, {"start": "20240101233000"}, 3600),
        ({"series_time": "003000", "times": ("003000",)}, {"start": "", "start_time": "233000"}, 3600),
        ({"series_date": "20240101", "series_time": "235900", "times": ("000500",)}, {"start": "20240101225900"}, 3600),
        # An offset from UTC needs that of the other times.
        ({"timezone": "+0100"}, {"start": "20240102083000+0000"}, 3600),
        ({"timezone": "-0230"}, {"start": "20240102093000-0230"}, 3600),
    ],
)
def test_the_injection(said: dict[str, Any], injection: dict[str, Any], expected: float) -> None:
    assert seconds(injection=injection, **said) == pytest.approx(expected, abs=1e-6)


def test_a_part_of_a_series_does_not_tell_the_first_acquisition() -> None:
    """Image by image, each bed would have its own factor."""
    assert seconds(slices=9) == pytest.approx(3600)
    assert seconds(slices=4, series_time="120000") == pytest.approx(3600)
    assert seconds(slices=9, series_time="120000", ge_scan_start="20240102103000") == pytest.approx(3600)
    with pytest.raises(UnsupportedError, match="4 of 9 images"):
        factor_of(pet_series(4, slices=9, series_time="120000"))


def test_the_acquisition_may_have_but_a_date_time() -> None:
    records = [
        replace(record, labels=(("AcquisitionDateTime", "20240102103000.000"),))
        for record in pet_series(acquisition_date="", series_time="120000")
    ]
    assert factor_of(records) == pytest.approx(factor_of(pet_series()))


@pytest.mark.parametrize(
    ("said", "error", "told"),
    [
        ({"injection": {"start": "20240102103001"}}, DamagedError, "does not fit"),
        ({"injection": {"start": "20240101093000"}}, DamagedError, "does not fit"),  # a day too early for F-18
        ({"injection": {"start": "", "start_time": "104500"}}, DamagedError, "does not fit"),  # nor is that yesterday's
        ({"injection": {"start": "20240102"}}, DamagedError, "no date with a time"),
        ({"injection": {"start": "20241302093000"}}, DamagedError, "no date with a time"),
        ({"injection": {"start": "", "start_time": "9:30"}}, DamagedError, "RadiopharmaceuticalStartTime is"),
        ({"injection": {"start": "20240102093000+0100"}}, UnsupportedError, "TimezoneOffsetFromUTC is absent"),
        ({"injection": {"start": "", "half_life": 282_240.0}}, UnsupportedError, "the day of injection"),  # Zr-89
        ({"series_time": "noon"}, DamagedError, "SeriesDate and SeriesTime is"),
        ({"times": ("103000", "25")}, DamagedError, "AcquisitionDate and AcquisitionTime is"),
    ],
)
def test_times_that_cannot_be(said: dict[str, Any], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told) as caught:
        factor_of(pet_series(**said))
    assert caught.value.uid in ("1.2.3.1", "1.2.3.2")  # type: ignore[attr-defined]


def test_a_long_lived_tracer_may_be_days_old() -> None:
    days = pet_series(injection={"half_life": 282_240.0, "start": "20231229103000"})
    assert factor_of(days) == pytest.approx(70_000 / (74e6 * 2 ** (-4 * 86400 / 282_240)))


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("202401021030", datetime(2024, 1, 2, 10, 30)),
        ("20240102103059.123456", datetime(2024, 1, 2, 10, 30, 59, 123456)),
        ("20240102103059.5", datetime(2024, 1, 2, 10, 30, 59, 500000)),
        ("20241231235960", datetime(2025, 1, 1)),  # a leap second
        ("20240229000000", datetime(2024, 2, 29)),
    ],
)
def test_dates_with_times(text: str, time: datetime) -> None:
    (record, _) = pet_series()
    assert parse(text, "", "", record) == time
    assert parse(text + "+0100", "", "+0000", record) == time - timedelta(hours=1)


@pytest.mark.parametrize("text", ["", "20240102", "2024010210", "20240230103000", "00000102103000", "2024010299999999"])
def test_what_is_no_date_with_a_time(text: str) -> None:
    (record, _) = pet_series()
    with pytest.raises(DamagedError, match="no date with a time"):
        parse(text, "SeriesDate", "", record)
