"""What tells apart frames at the same place: candidates for the axes of a 4D volume, and for sorting out mixtures."""

from __future__ import annotations

from volstream.errors import DamagedError
from volstream.headers.tags import TAGS
from volstream.headers.values import Attributes, numbers, texts

#: From the most to the least meaningful as an axis. Times of day come last: they differ for more than one reason.
LABELS = (
    "TemporalPositionIdentifier", "TemporalPositionIndex", "TemporalPositionTimeOffset", "TriggerTime",
    "NominalCardiacTriggerDelayTime", "FrameReferenceTime", "DiffusionBValue", "DiffusionGradientOrientation",
    "EffectiveEchoTime", "EchoTime", "EchoNumbers", "InversionTime", "InversionTimes", "FlipAngle",
    "ComplexImageComponent", "ReferencedSegmentNumber", "EnergyWindowVector", "DetectorVector",
    "PhaseVector", "RRIntervalVector", "TimeSlotVector", "RotationVector", "AngularViewVector", "TimeSliceVector",
    "StackID", "AcquisitionNumber", "FrameAcquisitionNumber", "FrameReferenceDateTime", "FrameAcquisitionDateTime",
    "AcquisitionDateTime", "AcquisitionTime", "ContentTime", "DimensionIndexValues",
)  # fmt: skip

_FLOATS = {keyword for keyword in LABELS if TAGS[keyword][1] in ("DS", "FD", "FL")}
_TEXTS = {keyword for keyword in LABELS if TAGS[keyword][1] in ("CS", "SH", "LO", "DT", "TM", "DA")}


def labels(attributes: Attributes) -> tuple[tuple[str, str | float | int], ...]:
    """(keyword, value) of those that are there; several values are joined by backslashes."""
    found = [(keyword, _label(attributes, keyword)) for keyword in LABELS if keyword in attributes]
    return tuple([(keyword, label) for keyword, label in found if label is not None])


def _label(attributes: Attributes, keyword: str) -> str | float | int | None:
    if keyword in _TEXTS:
        return "\\".join(texts(attributes, keyword)) or None
    try:
        values = numbers(attributes, keyword)
    except DamagedError:  # still tells frames apart
        return "\\".join(texts(attributes, keyword)) or None
    if not values:
        return None
    exact = values if keyword in _FLOATS else tuple(int(v) if v.is_integer() else v for v in values)
    return exact[0] if len(exact) == 1 else "\\".join(map(repr, exact))
