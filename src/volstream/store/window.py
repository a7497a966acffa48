"""The window that a volume is shown with, if nobody chooses one."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from ..errors import SegmentError

#: Soft tissue: for CT that says nothing itself.
SOFT_TISSUE = (40.0, 400.0)
#: Standardised uptake values beyond this are rarely of interest.
MOST_UPTAKE = 5.0


def default_window(metadata: dict[str, Any], extent: tuple[float, float]) -> tuple[float, float] | None:
    """(center, width) in the volume's units, PS3.3 C.11.2.1.2; None while nothing tells.

    The window of the images, all of them: the median of their ends where they differ, since the header of a single
    image may be an outlier. PET's are made for each slice's own contents, so what all of them show is taken, from zero
    on, and uptake values have a window of their own. Else soft tissue for CT, and what is there for all others.
    """
    windows = _windows(metadata)
    is_uptake = str(metadata.get("units", "")).startswith("SUV")
    if is_uptake:
        return _between(0.0, MOST_UPTAKE)
    if windows and metadata.get("modality") == "PT":
        return _between(0.0, max(high for _, high in windows))
    if windows:
        return _between(*(statistics.median(ends) for ends in zip(*windows, strict=True)))
    if metadata.get("units") == "HU":
        return SOFT_TISSUE
    return None if math.isnan(extent[0]) else _between(*extent)


def _windows(metadata: dict[str, Any]) -> Sequence[tuple[float, float]]:
    """(low, high) of each slice that has a window."""
    try:
        kinds: list[Any] = [image["window"] for image in metadata.get("images", ())]
        indices: Iterable[int | None] = metadata.get("slices", {}).get("images") or range(len(kinds))
        ends = [
            (float(center) - float(width) / 2, float(center) + float(width) / 2)
            for index in indices
            if index is not None and kinds[index] is not None
            for center, width in [kinds[index]]
        ]
    except (LookupError, TypeError, ValueError) as error:
        raise SegmentError(f"the segment's metadata have no usable windows: {error!r}") from None
    return [(low, high) for low, high in ends if math.isfinite(low) and low < high]


def _between(low: float, high: float) -> tuple[float, float]:
    return (low + high) / 2, max(high - low, 1.0 if high == low else 0.0)
