"""Voxel type, fill value and rescale, decided from all headers before the first pixel is seen.

The type is the smallest that holds what BitsStored and the rescale allow, exactly: signed before unsigned where
both hold it, since torch and many viewers have no unsigned 16 bits. A fractional slope or intercept gives float32,
whose 24 significant bits hold a rescaled 16-bit value to one part in 16 million; `dtype="float64"` is for those
who need more. More than 32 stored bits give float64 instead. So does a conversion (`units=`), whatever its factor.

Whole numbers beyond 32 bits give float64, which holds all below 2^53. More stored bits than that are refused unless
the caller names a type: an integer one is exact or raises ValueRangeError, a float one rounds to the nearest.

CT is the one exception. Writers often declare BitsStored 16 with an intercept of -1024, which would need 32 bits
only for values that no scanner makes. Then the type is int16 all the same, unless Pixel Padding Value itself would
not fit. Nothing can wrap: the decoder raises ValueRangeError at a voxel that does not fit, and dtype="int32" helps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from volstream.errors import DamagedError, UnsupportedError, UsageError, VolstreamError
from volstream.plan.options import PlanOptions
from volstream.plan.units import is_colour, units_of
from volstream.records import IDENTITY, Finding, FrameRecord, PixelFormat, Rescale

INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32")
DTYPES = (*INTEGERS, "float32", "float64")
#: Of colour; 32 bits are legal but hardly exist.
COLOURS = ("uint8", "uint16", "uint32")
#: Value of voxels that no image covers, where neither the caller nor the headers give one: air in CT, else 0.
AIR = -1024.0


@dataclass(frozen=True, slots=True)
class Values:
    """The meaning of the voxels."""

    dtype: np.dtype[Any]
    units: str
    fill: float
    is_colour: bool
    findings: tuple[Finding, ...]


def decide(records: Sequence[FrameRecord], options: PlanOptions) -> Values:
    """Decide for one stack; its records agree on units and on being colour or not."""
    units, colour = units_of(records[0]), is_colour(records[0].pixel)
    # Most series hold one or two different layouts and rescales, however many slices.
    layouts = {(r.pixel, rescale_of(r), r.padding): r for r in reversed(records)}
    for record in layouts.values():
        _check(record)
    if options.dtype is not None:
        dtype = _wanted(options.dtype, list(layouts.values()), colour)
    elif colour:
        bits = max(_colour_bits(r.pixel) for r in layouts.values())
        dtype = np.dtype(next(name for name in COLOURS if bits <= 8 * np.dtype(name).itemsize))
    else:
        is_ct = units == "HU" or records[0].series.modality == "CT"
        dtype = _smallest(list(layouts.values()), is_ct, options.units is not None)
    paddings = [value for r in layouts.values() if (value := _padding(r)) is not None]
    return Values(dtype, units, _fill(options, dtype, units, paddings), colour, _findings(records))


def rescale_of(record: FrameRecord) -> Rescale:
    """What is to be applied: nothing to colour (PS3.3 C.11.1 is for MONOCHROME)."""
    return IDENTITY if is_colour(record.pixel) else record.rescale


def _check(record: FrameRecord) -> None:
    pixel, rescale = record.pixel, record.rescale
    error: VolstreamError | None = None
    if not 1 <= pixel.bits_stored <= pixel.bits_allocated <= 64:
        error = DamagedError(f"BitsStored {pixel.bits_stored} of BitsAllocated {pixel.bits_allocated}")
    if pixel.samples_per_pixel not in (1, 3):
        error = UnsupportedError(f"SamplesPerPixel {pixel.samples_per_pixel}")
    if not (math.isfinite(rescale.slope) and math.isfinite(rescale.intercept)) or rescale.slope == 0:
        error = DamagedError(f"RescaleSlope {rescale.slope}, RescaleIntercept {rescale.intercept}")
    if pixel.samples_per_pixel > 1 and pixel.bits_allocated > 32:
        error = UnsupportedError(f"colour of {pixel.bits_allocated} bits")
    if rescale.table is not None and not rescale.table.length:
        error = DamagedError("the Modality LUT is empty")
    if error:
        raise error.located(uid=record.uid, address=record.address)


def _colour_bits(pixel: PixelFormat) -> int:
    return pixel.palette.bits if pixel.palette else pixel.bits_stored


def _is_exact(record: FrameRecord) -> bool:
    """Whether the rescaled values are whole numbers."""
    rescale = record.rescale
    if rescale.table is not None:
        return True
    return not record.pixel.is_float and all(float(x).is_integer() for x in (rescale.slope, rescale.intercept))


def _range(record: FrameRecord) -> tuple[int, int]:
    """The lowest and highest whole number that the header allows."""
    pixel, rescale = record.pixel, record.rescale
    if rescale.table is not None:
        entries = np.frombuffer(rescale.table.entries, "<u2")
        return int(entries.min()), int(entries.max())
    signed = pixel.pixel_representation == 1
    low = -(1 << (pixel.bits_stored - 1)) if signed else 0
    high = (1 << (pixel.bits_stored - signed)) - 1
    if high > 1 << 53:
        raise UnsupportedError(
            f"whole numbers of {pixel.bits_stored} bits, which float64 would round; dtype= with an integer type loads "
            'them if they fit that, dtype="float64" rounds',
            uid=record.uid,
            address=record.address,
        )
    ends = [value * int(rescale.slope) + int(rescale.intercept) for value in (low, high)]
    return min(ends), max(ends)


def _holds(dtype: str, low: float, high: float) -> bool:
    info = np.iinfo(dtype)
    return bool(info.min <= low and high <= info.max)


def _smallest(records: Sequence[FrameRecord], is_ct: bool, is_converted: bool) -> np.dtype[Any]:
    if is_converted or not all(_is_exact(record) for record in records):
        wide = any(r.pixel.bits_stored > 32 for r in records)
        return np.dtype("float64" if wide else "float32")
    ranges = [_range(record) for record in records]
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    fitting = next((name for name in INTEGERS if _holds(name, low, high)), "float64")
    if is_ct and fitting not in INTEGERS[:4] and all(_is_container(record) for record in records):
        return np.dtype("int16")
    return np.dtype(fitting)


def _is_container(record: FrameRecord) -> bool:
    """Whether the declared range is merely that of 16 bits, shifted by the intercept; see the module's text."""
    if record.rescale.table is not None or record.rescale.slope != 1 or record.pixel.bits_stored > 16:
        return False
    padding = _padding(record)
    return padding is None or _holds("int16", padding, padding)


def _wanted(name: str, records: Sequence[FrameRecord], colour: bool) -> np.dtype[Any]:
    try:
        dtype = np.dtype(name)
    except TypeError:
        dtype = np.dtype(object)
    if dtype.name not in DTYPES:
        raise UsageError(f"dtype={name!r} is unknown; choose one of {', '.join(DTYPES)}")
    if colour and dtype.name not in COLOURS:
        raise UsageError(f"dtype={name!r} does not hold colour, which is one of {', '.join(COLOURS)}")
    for record in records:
        if not colour and dtype.name in INTEGERS and not _is_exact(record):
            raise UsageError(
                f"dtype={name!r} cannot hold fractions: RescaleSlope {record.rescale.slope}, RescaleIntercept "
                f"{record.rescale.intercept}"
                + (", float pixel data" if record.pixel.is_float else "")
                + '; dtype="float32" can',
                uid=record.uid,
                address=record.address,
            )
    return dtype


def _padding(record: FrameRecord) -> float | None:
    """The lower end of the padding, in real-world units."""
    if record.padding is None or record.rescale.table is not None or is_colour(record.pixel):
        return None
    return min(value * record.rescale.slope + record.rescale.intercept for value in record.padding)


def _fill(options: PlanOptions, dtype: np.dtype[Any], units: str, paddings: Sequence[float]) -> float:
    """The caller's value, or the lowest padding, or air in CT, or 0: the first of these that the type holds."""

    def fits(value: float) -> bool:
        if dtype.name not in INTEGERS:
            return True
        return math.isfinite(value) and float(value).is_integer() and _holds(dtype.name, value, value)

    if options.fill is not None:
        if not fits(options.fill):
            raise UsageError(f"fill={options.fill!r} is no value of {dtype.name}")
        return float(options.fill)
    candidates = [min(paddings)] if paddings else []
    if units == "HU":
        candidates.append(AIR)
    return next((float(value) for value in candidates if fits(value)), 0.0)


def _findings(records: Sequence[FrameRecord]) -> tuple[Finding, ...]:
    found = []
    rescales = {(r.rescale.slope, r.rescale.intercept) for r in records if not is_colour(r.pixel)}
    if len(rescales) > 1:
        slopes = sorted(slope for slope, _ in rescales)
        found.append(
            Finding(
                "slopes",
                f"{len(rescales)} different rescales, slopes {slopes[0]:g} to {slopes[-1]:g}: each slice its own",
            )
        )
    if records[0].pixel.photometric == "MONOCHROME1":
        found.append(Finding("monochrome1", "MONOCHROME1: the lowest value is meant to be white; values are as stored"))
    padded = sorted({value for r in records if (value := _padding(r)) is not None})
    if padded:
        found.append(Finding("padding", f"voxels of {', '.join(f'{v:g}' for v in padded[:5])} are Pixel Padding Value"))
    return tuple(found)
