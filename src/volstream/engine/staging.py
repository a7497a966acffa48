"""Which stages a load goes through, where the caller leaves that open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..plan.stages import COVERAGE, FULL_ONLY, NAMED, SPARSE, Stage
from .sizes import is_scalable

if TYPE_CHECKING:
    from ..fetch.source import Source
    from ..plan import VolumePlan

#: A load that will last less than this, in seconds, shows nothing sooner by taking two steps.
PATIENCE = 1.0
#: What a codec makes of a frame, about.
RATIO = 0.4


def stages_for(source: Source, plan: VolumePlan, wanted: str | Sequence[Stage]) -> tuple[Stage, ...]:
    """The caller's stages; for "auto" what suits the link, as measured on the headers."""
    if not isinstance(wanted, str):
        return tuple(wanted)
    if wanted != "auto":
        return NAMED[wanted]
    records = [slot.record for slot in plan.slots if slot.record is not None and slot.record.location is None]
    if not records or source.rate is None:
        return FULL_ONLY
    size = sum(record.pixel.frame_bytes for record in records)
    if RATIO * size < PATIENCE * source.rate:
        return FULL_ONLY
    syntax = records[0].transfer_syntax
    return COVERAGE if not syntax or is_scalable(syntax) else SPARSE
