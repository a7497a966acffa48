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
from volstream.fetch.witness import Witness
from volstream.headers.dicomjson import parse_json, records_from_json
from volstream.headers.values import Attributes, text
from volstream.records import FrameRecord

LIMITS = Limits(256 << 20)
ACCEPTS = ("application/dicom+json", "application/json", "*/*")
#: Statuses of servers that have no metadata of whole series, or not this large.
NO_SERIES = frozenset({400, 404, 405, 413, 500, 501})
PARALLEL = 16

GetJson: TypeAlias = Callable[[str], Awaitable[list[Attributes]]]


async def read_series(
    http: Http, series: str, query: str = "", witness: Witness | None = None
) -> list[FrameRecord] | None:
    """The records of all images of a series; None if there is a witness who knows them as they are."""
    suffix = f"?{query}" if query else ""
    get_json = partial(_get_json, http)
    try:
        instances = await _get_json(http, f"{series}/metadata{suffix}", witness, whole=True)
    except HttpStatusError as error:
        if error.status not in NO_SERIES:
            raise
        uids = await _instance_uids(get_json, series, query)
        if not uids:
            raise
        urls = [f"{series}/instances/{uid}/metadata{suffix}" for uid in uids]
        answers = await all_of([partial(_get_json, http, url, witness) for url in urls], PARALLEL)
        instances = [instance for answer in answers for instance in answer]
    if witness and witness.knows_all:
        return None
    if not instances:
        raise SourceError("the series is empty", address=series)
    return await asyncio.to_thread(records_from_json, instances, series)


async def read_instance(
    http: Http, series: str, uid: str, query: str = "", witness: Witness | None = None
) -> list[FrameRecord] | None:
    """The records of one instance, without the headers of its series; or None, as above."""
    suffix = f"?{query}" if query else ""
    try:
        instances = await _get_json(http, f"{series}/instances/{uid}/metadata{suffix}", witness, whole=True)
    except HttpStatusError as error:
        if error.status not in NO_SERIES:
            raise
        found = await read_series(http, series, query, witness)
        return None if found is None else [record for record in found if record.uid == uid]
    return None if witness and witness.knows_all else records_from_json(instances, series)


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


async def _get_json(http: Http, url: str, witness: Witness | None = None, *, whole: bool = False) -> list[Attributes]:
    """The objects of an answer. If it is the `whole` of what the witness knows, and the same: none."""

    def conditions() -> dict[str, str]:
        return witness.conditions if witness and whole else {}

    read = partial(_read_json, witness=witness, whole=whole)
    for accept in ACCEPTS:
        try:
            return await http.get(url, read, accept=accept, headers=conditions, encoding="gzip", limits=LIMITS)
        except HttpStatusError as error:
            if error.status != 406 or accept == ACCEPTS[-1]:
                raise
    raise AssertionError("unreachable: the last one returns or raises")


async def _read_json(answer: Answer, witness: Witness | None, whole: bool) -> list[Attributes]:
    if answer.media_type.name == "text/html":
        raise ProtocolError(f"the server sends a page instead of metadata: {printable(await answer.beginning(), 120)}")
    # JSON tells its own end, so a body without framing is taken.
    body = bytearray()
    async for chunk in answer.chunks():
        body += chunk
    if witness and whole and witness.knows(answer, body):
        return []
    instances = await asyncio.to_thread(parse_json, body) if body else []
    if witness:
        witness.see(answer, body)
    return instances
