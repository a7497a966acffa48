"""A whole series in one streamed answer (PS3.18 section 10.4.1.1.1): one request instead of one a frame."""

from __future__ import annotations

import aiohttp

from volstream.errors import HttpStatusError, ProtocolError, VolstreamError
from volstream.fetch.answer import Answer, Limits
from volstream.fetch.frames import HEADER, payloads_of
from volstream.fetch.http import Http
from volstream.fetch.negotiation import NEGOTIABLE, WAYS
from volstream.fetch.pool import Put
from volstream.fetch.retry import TransientError
from volstream.fetch.source import Budget
from volstream.headers.part10 import read_records
from volstream.records import FrameRecord, Payload

#: Series hold other objects too, which are passed over.
MAX_PARTS = 65536


async def stream_series(
    http: Http, url: str, records: list[FrameRecord], budget: Budget, put: Put
) -> list[FrameRecord]:
    """Put the frames of `records` as their instances arrive; returns those that did not, for whatever reason.

    The answer is read on only while the budget has room. Instances come in the server's order.
    """
    missing: dict[str, list[FrameRecord]] = {}
    for record in records:
        missing.setdefault(record.uid, []).append(record)
    sizes = [2 * each[0].frames * each[0].pixel.frame_bytes + HEADER for each in missing.values()]
    first = records[0]
    limits = Limits(
        sum(sizes), part=max(sizes), parts=MAX_PARTS, expected=first.frames * first.pixel.frame_bytes + 4096
    )

    async def read(answer: Answer) -> None:
        if not answer.media_type.name.startswith("multipart/"):
            raise ProtocolError(f"the server sends {answer.media_type.name} instead of a series")
        delivered = False
        try:
            async for _, body in answer.parts():
                found = _match(missing, body)
                if found:
                    await budget.acquire([record for record, _ in found])
                    for frame in found:
                        put(frame)
                    delivered = True
        except (aiohttp.ClientError, OSError, VolstreamError, TransientError):
            if not delivered:
                raise
            # Better to ask for the rest one by one than for everything again.

    for way in WAYS:
        if not way.whole:
            continue
        try:
            await http.get(url, read, accept=way.accept, limits=limits, final=NEGOTIABLE, bulk=True)
            break
        except HttpStatusError as error:
            if error.status not in NEGOTIABLE:
                break
        except VolstreamError:
            break
    return [record for frames in missing.values() for record in frames]


def _match(missing: dict[str, list[FrameRecord]], instance: memoryview) -> list[tuple[FrameRecord, Payload]]:
    """The wanted frames of an instance, taken off `missing`. What cannot be used stays there: it is asked for alone."""
    try:
        found = read_records(instance, address="series")
        payloads = payloads_of(found) if found and found[0].uid in missing else {}
    except VolstreamError:
        return []
    wanted = missing.pop(found[0].uid) if payloads else []
    if rest := [record for record in wanted if record.frame not in payloads]:
        missing[rest[0].uid] = rest
    return [(record, payloads[record.frame]) for record in wanted if record.frame in payloads]
