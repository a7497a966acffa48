"""Which stages a load goes through, where the caller leaves that open: what suits the link and the codec.

A load is slow if fetching or decoding takes longer than somebody who looks at the volume would wait. The headers tell
of a fast link. Else the first frame, or its beginning, fetched alone, tells: it takes one turn of the latency, which a
slow load does not feel. How long a codec takes, a frame's beginning tells, whether it came over a link or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..plan.stages import COVERAGE, FULL_ONLY, NAMED, SPARSE, Stage, chain, reduce_of
from ..store.layout import image_shape
from ..store.states import FULL, SUB_RESOLUTION
from .sizes import is_scalable

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
    records = [slot.record for slot in plan.slots if slot.record is not None]
    if source.link is None:
        return None if len(records) > 1 and is_scalable(records[0].transfer_syntax) else FULL_ONLY
    remote = [record for record in records if record.location is None]
    if len(remote) < 2 or source.at_once:
        return FULL_ONLY
    if is_scalable(remote[0].transfer_syntax):
        return None
    size = RATIO * sum(record.pixel.frame_bytes for record in remote)
    if (rate := source.link.rate) and size < PATIENCE * rate:
        return FULL_ONLY
    return None


def stages_after(link: Link | None, size: int, decoding: float, requests: float, scalable: bool) -> tuple[Stage, ...]:
    """The stages of a load of `size` bytes that take `decoding` seconds to decode; `requests` follow each other."""
    bandwidth = (link.bandwidth or link.rate) if link is not None else None
    seconds = max(decoding, size / bandwidth if bandwidth else 0.0)
    if seconds < PATIENCE:
        return FULL_ONLY
    if not scalable:
        return SPARSE
    extra = requests * link.latency if link is not None else 0.0
    every = 1
    while extra / every > EXTRA * seconds and every < 8:
        every *= 2
    return COVERAGE if every == 1 else (Stage(every=every, reduce=COVERAGE[0].reduce, fill="linear"), COVERAGE[1])
