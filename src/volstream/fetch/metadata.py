"""Headers of a series over WADO-RS (PS3.18 section 10.4.1.1.2), or instance by instance if there is no other way."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

from volstream.errors import HttpStatusError, ProtocolError, SourceError
from volstream.fetch.answer import Answer, Limits
from volstream.fetch.http import Http, printable
from volstream.fetch.pool import all_of
from volstream.headers.dicomjson import parse_json, records_from_json
from volstream.headers.values import Attributes, text
from volstream.records import FrameRecord

LIMITS = Limits(256 << 20)
ACCEPTS = ("application/dicom+json", "application/json", "*/*")
#: Statuses of servers that have no metadata of whole series, or not this large.
NO_SERIES = frozenset({400, 404, 405, 413, 500, 501})
PARALLEL = 16

GetJson: TypeAlias = Callable[[str], Awaitable[list[Attributes]]]


async def read_series(http: Http, series: str, query: str = "") -> list[FrameRecord]:
    """The records of all images of a series."""
    suffix = f"?{query}" if query else ""
    get_json = partial(_get_json, http)
    try:
        instances = await get_json(f"{series}/metadata{suffix}")
    except HttpStatusError as error:
        if error.status not in NO_SERIES:
            raise
        uids = await _instance_uids(get_json, series, query)
        if not uids:
            raise
        urls = [f"{series}/instances/{uid}/metadata{suffix}" for uid in uids]
        answers = await all_of([partial(get_json, url) for url in urls], PARALLEL)
        instances = [instance for answer in answers for instance in answer]
    if not instances:
        raise SourceError("the series is empty", address=series)
    return await asyncio.to_thread(records_from_json, instances, series)


async def read_instance(http: Http, series: str, uid: str, query: str = "") -> list[FrameRecord]:
    """The records of one instance, without the headers of its series."""
    suffix = f"?{query}" if query else ""
    try:
        instances = await _get_json(http, f"{series}/instances/{uid}/metadata{suffix}")
    except HttpStatusError as error:
        if error.status not in NO_SERIES:
            raise
        return [record for record in await read_series(http, series, query) if record.uid == uid]
    return records_from_json(instances, series)


async def _instance_uids(get_json: GetJson, series: str, query: str) -> list[str]:
    """QIDO-RS (PS3.18 section 10.6). Servers cut long answers, so ask until nothing new comes."""
    uids: dict[str, None] = {}
    while True:
        arguments = "&".join(filter(None, (query, f"offset={len(uids)}" if uids else "")))
        url = f"{series}/instances" + (f"?{arguments}" if arguments else "")
        try:
            found = await get_json(url)
        except HttpStatusError:
            if uids:
                raise
            return []
        new = {uid: None for item in found if (uid := _uid(item)) not in uids}
        if not new:
            return list(uids)
        uids |= new


def _uid(item: Attributes) -> str:
    uid = text(item, "SOPInstanceUID")
    if not re.fullmatch(r"[0-9.]{1,64}", uid):
        raise ProtocolError("an instance without a valid SOP Instance UID")
    return uid


async def _get_json(http: Http, url: str) -> list[Attributes]:
    for accept in ACCEPTS:
        try:
            return await http.get(url, _read_json, accept=accept, encoding="gzip", limits=LIMITS)
        except HttpStatusError as error:
            if error.status != 406 or accept == ACCEPTS[-1]:
                raise
    raise AssertionError("unreachable: the last one returns or raises")


async def _read_json(answer: Answer) -> list[Attributes]:
    if answer.media_type.name == "text/html":
        raise ProtocolError(f"the server sends a page instead of metadata: {printable(await answer.beginning(), 120)}")
    # JSON tells its own end, so a body without framing is taken.
    body = bytearray()
    async for chunk in answer.chunks():
        body += chunk
    return await asyncio.to_thread(parse_json, body) if body else []
