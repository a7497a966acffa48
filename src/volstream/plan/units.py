"""What the values of an image mean."""

from __future__ import annotations

from volstream.records import FrameRecord, PixelFormat

#: SOP classes whose rescaled values are Hounsfield units although the rescale may name no type: CT, enhanced CT,
#: legacy converted enhanced CT. PS3.3 C.8.2.1.1.2.
CT_CLASSES = frozenset(f"1.2.840.10008.5.1.4.1.1.2{suffix}" for suffix in ("", ".1", ".2"))


def is_colour(pixel: PixelFormat) -> bool:
    """Whether the image becomes RGB: PS3.3 C.7.6.3.1.2."""
    return pixel.samples_per_pixel > 1 or pixel.photometric == "PALETTE COLOR"


def units_of(record: FrameRecord) -> str:
    """The unit of the rescaled values: "HU", "BQML", "GY", ...; empty for raw values.

    Units (PET) and Dose Units are in the record's `series.units`; otherwise the type of the rescale tells, "US"
    being the standard's word for unspecified (PS3.3 C.11.1.1.2).
    """
    if is_colour(record.pixel):
        return ""
    if record.series.units:
        return record.series.units
    if record.rescale.type in ("", "US", "UNSPECIFIED"):
        return "HU" if record.series.sop_class_uid in CT_CLASSES else ""
    return record.rescale.type
