"""A whole series in one streamed answer (PS3.18 section 10.4.1.1.1): one request instead of one a frame."""

from __future__ import annotations

from collections.abc import Sequence

import aiohttp

from volstream.errors import HttpStatusError, ProtocolError, VolstreamError
from volstream.fetch.answer import Answer, Limits
from volstream.fetch.frames import HEADER, payloads_of
from volstream.fetch.http import Http
from volstream.fetch.negotiation import NEGOTIABLE, WAYS
from volstream.fetch.retry import TransientError
from volstream.fetch.source import Put, Want
from volstream.headers.part10 import read_records
from volstream.records import Payload

#: Series hold other objects too, which are passed over.
MAX_PARTS = 65536


async def stream_series(http: Http, url: str, wants: Sequence[Want], put: Put) -> list[Want]:
    """Put the frames of `wants` as their instances arrive; returns those that did not, for whatever reason.

    The answer is read on only as fast as frames are taken. Instances come in the server's order.
    """
    missing: dict[str, list[Want]] = {}
    for want in wants:
        missing.setdefault(want.record.uid, []).append(want)
    first = wants[0].record
    records = [each[0].record for each in missing.values()]
    sizes = [2 * record.frames * record.pixel.frame_bytes + HEADER for record in records]
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
                for want, payload in found:
                    await put(want, payload)
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
    return [want for frames in missing.values() for want in frames]


def _match(missing: dict[str, list[Want]], instance: memoryview) -> list[tuple[Want, Payload]]:
    """The wanted frames of an instance, taken off `missing`. What cannot be used stays there: it is asked for alone."""
    try:
        found = read_records(instance, address="series")
        payloads = payloads_of(found) if found and found[0].uid in missing else {}
    except VolstreamError:
        return []
    wanted = missing.pop(found[0].uid) if payloads else []
    if rest := [want for want in wanted if want.record.frame not in payloads]:
        missing[rest[0].record.uid] = rest
    return [(want, payloads[want.record.frame]) for want in wanted if want.record.frame in payloads]
