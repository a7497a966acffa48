"""Image Pixel module and Modality LUT: how stored values are laid out, and what they mean. PS3.3 C.7.6.3, C.11.1."""

from __future__ import annotations

from volstream.errors import DamagedError, UnsupportedError
from volstream.headers.tables import modality_table, palette
from volstream.headers.values import Attributes, integer, lenient, number, numbers, shared, text
from volstream.records import IDENTITY, PixelFormat, Rescale

_CHANNELS = ("Red", "Green", "Blue")


@shared(
    "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel",
    "PlanarConfiguration", "PhotometricInterpretation", "PixelData",
    *(f"{color}PaletteColorLookupTableDescriptor" for color in _CHANNELS),
    *(f"{color}PaletteColorLookupTableData" for color in _CHANNELS),
    *(f"Segmented{color}PaletteColorLookupTableData" for color in _CHANNELS),
)  # fmt: skip
def pixel_format(attributes: Attributes) -> PixelFormat:
    """The layout of one frame. DamagedError where the attributes contradict themselves."""
    photometric = text(attributes, "PhotometricInterpretation")
    if not photometric:
        raise DamagedError("Photometric Interpretation is absent")
    allocated = _within(attributes, "BitsAllocated", 1, 64)
    if allocated not in (1, 8, 16, 32, 64):
        if allocated % 8 and allocated != 12:  # PS3.5 8.1.1 allows multiples of 8; 12 is retired
            raise DamagedError(f"BitsAllocated is {allocated}")
        raise UnsupportedError(f"pixels of {allocated} bits")
    # Floating point images have no Bits Stored (PS3.3 C.7.6.24), and nothing else with such pixels lacks it.
    is_float = attributes.get("PixelData") in ("FloatPixelData", "DoubleFloatPixelData") or (
        "BitsStored" not in attributes and allocated >= 32
    )
    stored = allocated if is_float else _within(attributes, "BitsStored", 1, allocated)
    high = integer(attributes, "HighBit")
    high = stored - 1 if high is None or is_float else high
    if not stored - 1 <= high < allocated:
        raise DamagedError(f"HighBit is {high} with {stored} bits stored of {allocated}")
    return PixelFormat(
        rows=_within(attributes, "Rows", 1, 65535),
        columns=_within(attributes, "Columns", 1, 65535),
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=high,
        pixel_representation=_within(attributes, "PixelRepresentation", 0, 1, 0),
        samples_per_pixel=_samples(attributes, photometric),
        planar_configuration=_within(attributes, "PlanarConfiguration", 0, 1, 0),
        photometric=photometric,
        is_float=is_float,
        palette=palette(attributes) if photometric == "PALETTE COLOR" else None,
    )


def _samples(attributes: Attributes, photometric: str) -> int:
    single = photometric.startswith("MONOCHROME") or photometric == "PALETTE COLOR"
    found = _within(attributes, "SamplesPerPixel", 1, 4, 1 if single else 3)
    if single and found != 1:
        raise DamagedError(f"SamplesPerPixel is {found} in a {photometric} image")
    return found


def _within(attributes: Attributes, keyword: str, lowest: int, highest: int, default: int | None = None) -> int:
    value = integer(attributes, keyword)
    value = default if value is None else value
    if value is None:
        raise DamagedError(f"{keyword} is absent")
    if not lowest <= value <= highest:
        raise DamagedError(f"{keyword} is {value}")
    return value


def rescale(attributes: Attributes) -> Rescale:
    """Slope and intercept, or the Modality LUT, of a frame."""
    if table := modality_table(attributes):
        return table
    return _linear(attributes)


@shared("Modality", "RescaleSlope", "RescaleIntercept", "RescaleType", "DoseGridScaling", "DoseUnits")
def _linear(attributes: Attributes) -> Rescale:
    if (dose := number(attributes, "DoseGridScaling")) is not None:  # PS3.3 C.8.8.3
        return Rescale(_slope("DoseGridScaling", dose), 0.0, text(attributes, "DoseUnits"))
    slope, intercept = number(attributes, "RescaleSlope"), number(attributes, "RescaleIntercept")
    if slope is None and intercept is None:
        return IDENTITY
    kind = text(attributes, "RescaleType")
    if not kind and text(attributes, "Modality") == "CT":
        kind = "HU"  # PS3.3 C.8.2.1: Rescale Type may only be absent if the units are Hounsfield units
    return Rescale(1.0 if slope is None else _slope("RescaleSlope", slope), intercept or 0.0, kind)


def _slope(keyword: str, value: float) -> float:
    if value == 0:
        raise DamagedError(f"{keyword} is 0")
    return value


@shared("PixelPaddingValue", "PixelPaddingRangeLimit", "PixelRepresentation", "BitsAllocated")
def padding(attributes: Attributes) -> tuple[int, int] | None:
    """Lowest and highest stored value that stands for "no data". PS3.3 C.7.5.1.1.2."""
    first = integer(attributes, "PixelPaddingValue")
    if first is None:
        return None
    last = integer(attributes, "PixelPaddingRangeLimit")
    pair = [signed(value, attributes) for value in (first, first if last is None else last)]
    return min(pair), max(pair)


def signed(value: int, attributes: Attributes) -> int:
    """A "US or SS" value as Pixel Representation says, which many writers ignore when they choose the VR."""
    if integer(attributes, "PixelRepresentation") == 1:
        return value - 0x10000 if value > 0x7FFF else value
    return value + 0x10000 if value < 0 else value


@shared("WindowCenter", "WindowWidth")
def window(attributes: Attributes) -> tuple[float, float] | None:
    """Center and width of the first window; None without one."""
    center, width = lenient(numbers, attributes, "WindowCenter"), lenient(numbers, attributes, "WindowWidth")
    return (center[0], width[0]) if center and width else None
