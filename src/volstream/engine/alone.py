"""One frame into the one slice of its segment: for images that are loaded by themselves."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from ..errors import DamagedError, SourceError, VolstreamError
from ..fetch.source import Fetched, Want
from ..records import Payload
from .options import EngineOptions
from .placing import Job, Placer

if TYPE_CHECKING:
    from ..fetch.source import Source
    from ..plan import VolumePlan
    from ..store.segment import Segment


async def fill_alone(source: Source, plan: VolumePlan, segment: Segment, options: EngineOptions) -> None:
    """Fetch, decode and place what `Pipeline` would; raises the frame's error."""
    record = plan.slots[0].record
    assert record is not None
    want = Want(0, record)
    with contextlib.closing(Placer(segment, options.executor)) as placer:
        for is_last in (False, True):
            job = Job(want, await _payload(source, want), plan.slots[0].rescale)
            error = await asyncio.to_thread(placer.place, job)
            if error is None:
                return
            # As there: what a network delivered may have been damaged on the way.
            if is_last or not isinstance(error, DamagedError) or record.location is not None:
                raise error


async def _payload(source: Source, want: Want) -> Payload:
    if want.record.location is not None:
        return Payload(want.record.location, want.record.transfer_syntax)
    fetched: list[Fetched] = []

    async def put(want: Want, result: Fetched) -> None:
        fetched.append(result)

    again = [want]
    while again and not fetched:
        again = list(await source.fetch(again, put))
    result = fetched[0] if fetched else SourceError("the source did not deliver this frame")
    if isinstance(result, VolstreamError):
        raise result.located(uid=want.record.uid, address=want.record.address)
    assert isinstance(result, Payload), "the whole frame was wanted"
    return result
