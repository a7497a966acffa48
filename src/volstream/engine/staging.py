"""Which stages a load goes through, where the caller leaves that open: what suits the link.

A slow link is one over which the volume takes longer than somebody who looks at it would wait. The headers tell of a
fast one. Else the first frame, fetched alone, tells: it takes one turn of the latency, which such a load does not feel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..plan.stages import COVERAGE, FULL_ONLY, NAMED, SPARSE, Stage, chain, reduce_of
from ..store.layout import image_shape
from ..store.states import FULL, SUB_RESOLUTION

if TYPE_CHECKING:
    from ..fetch.link import Link
    from ..fetch.source import Source
    from ..plan import VolumePlan

#: A load that will last less than this, in seconds, shows nothing sooner by taking two steps.
PATIENCE = 0.5
#: What a codec makes of a frame, about.
RATIO = 0.4
#: How much longer a load may take, with requests for previews before those for frames.
EXTRA = 0.1


def stack_of(plan: VolumePlan) -> int:
    """Slices in each time point."""
    return plan.shape[-1 - len(image_shape(plan.shape, len(plan.slots)))]


def quality_of(stages: Sequence[Stage], plan: VolumePlan) -> int:
    """What every slice has got at the end: full, unless the last stage of some is reduced."""
    count = stack_of(plan)
    last = (chain(stages, k, count)[-1] for k in range(count))
    return SUB_RESOLUTION if any(reduce_of(stages, number) for number in last) else FULL


def stages_for(source: Source, plan: VolumePlan, wanted: str | Sequence[Stage]) -> tuple[Stage, ...] | None:
    """The caller's stages; for "auto" None where only the first frame can tell."""
    if not isinstance(wanted, str):
        return tuple(wanted)
    if wanted != "auto":
        return NAMED[wanted]
    remote = [slot.record for slot in plan.slots if slot.record is not None and slot.record.location is None]
    if len(remote) < 2 or source.link is None or source.at_once:
        return FULL_ONLY
    size = RATIO * sum(record.pixel.frame_bytes for record in remote)
    if (rate := source.link.rate) and size < PATIENCE * rate:
        return FULL_ONLY
    return None


def stages_after(link: Link, frame_bytes: int, frames: int, connections: int, scalable: bool) -> tuple[Stage, ...]:
    """The stages for `frames` frames like the one of `frame_bytes` that has just come."""
    bandwidth = link.bandwidth or link.rate
    if bandwidth is None:
        return FULL_ONLY
    seconds = frames * frame_bytes / bandwidth
    if seconds < PATIENCE:
        return FULL_ONLY
    if not scalable:
        return SPARSE
    extra = frames * link.latency / connections
    every = 1
    while extra / every > EXTRA * seconds and every < 8:
        every *= 2
    return COVERAGE if every == 1 else (Stage(every=every, reduce=COVERAGE[0].reduce, fill="linear"), COVERAGE[1])
