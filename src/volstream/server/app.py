"""The routes of the DICOMweb server."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import logging
from collections.abc import AsyncIterator, Iterable, Sequence

from aiohttp import web
from aiohttp.typedefs import Handler

from volstream.errors import VolstreamError
from volstream.server.frames import frame_size, read_frame, sent_syntax
from volstream.server.index import Instance, Series
from volstream.server.metadata import instance_metadata
from volstream.server.multipart import Envelope, Part
from volstream.server.negotiation import DICOM, MEDIA_TYPES, OCTETS, Choice, choose
from volstream.server.ranges import reply

log = logging.getLogger(__name__)

#: A UID is of these characters (PS3.5 section 9.1); what does not match is answered 404 before any look-up.
_STUDY = "/studies/{study:[0-9.]{1,64}}"
_SERIES = _STUDY + "/series/{series:[0-9.]{1,64}}"
_INSTANCE = _SERIES + "/instances/{instance:[0-9.]{1,64}}"
_FRAMES = "{frames:[0-9,]{1,65536}}"

_INDEX = web.AppKey("index", dict[tuple[str, str], Series])
_HOSTS = web.AppKey("hosts", frozenset[str])


def make_app(series: Sequence[Series], hosts: Iterable[str] = ()) -> web.Application:
    """The application that serves `series`. `hosts` are names by which it may be called besides loopback ones."""
    app = web.Application(middlewares=[_check_host], client_max_size=1 << 16)
    app[_INDEX] = {(each.study_uid, each.series_uid): each for each in series}
    app[_HOSTS] = frozenset(hosts)
    app.on_response_prepare.append(_harden)
    app.router.add_get(f"{_STUDY}/metadata", _metadata)
    app.router.add_get(f"{_SERIES}/metadata", _metadata)
    app.router.add_get(f"{_INSTANCE}/metadata", _metadata)
    app.router.add_get(f"{_INSTANCE}/frames/{_FRAMES}", _frames)
    app.router.add_get(f"{_INSTANCE}/pixeldata", _frames)
    app.router.add_get(_INSTANCE, _instance)
    return app


async def _metadata(request: web.Request) -> web.StreamResponse:
    wanted = request.match_info
    found = [
        (instance, f"{request.url.origin()}{series.path}/instances/{instance.uid}")
        for series in request.app[_INDEX].values()
        if (series.study_uid, series.series_uid) == (wanted["study"], wanted.get("series", series.series_uid))
        for instance in series.instances.values()
        if instance.uid == wanted.get("instance", instance.uid)
    ]
    if not found:
        raise web.HTTPNotFound(text="no such study, series or instance")
    objects = await asyncio.to_thread(lambda: [instance_metadata(*each) for each in found])
    body = b"[" + b",".join(objects) + b"]"
    tag = hashlib.sha256(body).hexdigest()
    known = {each.value for each in request.if_none_match or ()}
    response = (
        web.Response(status=304) if tag in known else web.Response(body=body, content_type="application/dicom+json")
    )
    response.etag = tag
    return response


async def _frames(request: web.Request) -> web.StreamResponse:
    instance = _find(request)
    numbers = _frame_numbers(request.match_info.get("frames"), len(instance.records))
    syntax = sent_syntax(instance.transfer_syntax)
    media_type = MEDIA_TYPES.get(syntax, OCTETS)
    # Clients that ask for octets in any transfer syntax get codestreams under that name, as other servers do it.
    offered = [media_type, OCTETS] if media_type != OCTETS else [OCTETS]
    choice = choose(_accept(request), offered, syntax, single=len(numbers) == 1)
    if choice is None:
        raise web.HTTPNotAcceptable(text=f"available: {' or '.join(offered)}; transfer-syntax={syntax}")
    content_type = f"{choice.media_type}; transfer-syntax={syntax}"
    base = request.path.partition("/frames/")[0].removesuffix("/pixeldata")
    parts = [
        Part(content_type, f"{request.url.origin()}{base}/frames/{number + 1}", frame_size(instance.records[number]))
        for number in numbers
    ]
    if len(numbers) == 1:
        tag = _tag(instance, parts[0], choice)
        body = await _read(instance, numbers[0])
        if choice.multipart:
            envelope = Envelope(choice.media_type, parts, boundary=tag)
            content_type, body = envelope.content_type, envelope.around(body)
        return reply(request, f'"{tag}"', content_type, body)

    async def bodies() -> AsyncIterator[bytes]:
        for number in numbers:
            yield await _read(instance, number)

    return await _send(request, Envelope(choice.media_type, parts), bodies())


async def _instance(request: web.Request) -> web.StreamResponse:
    instance = _find(request)
    choice = choose(_accept(request), [DICOM], instance.transfer_syntax, single=True)
    if choice is None:
        raise web.HTTPNotAcceptable(text=f"available: {DICOM}; transfer-syntax={instance.transfer_syntax}")
    content_type = f"{DICOM}; transfer-syntax={instance.transfer_syntax}"
    if not choice.multipart:
        return web.FileResponse(instance.path, headers={"Content-Type": content_type})

    async def bodies() -> AsyncIterator[bytes]:
        yield await asyncio.to_thread(instance.path.read_bytes)

    part = Part(content_type, str(request.url), instance.path.stat().st_size)
    return await _send(request, Envelope(DICOM, [part]), bodies())


def _tag(instance: Instance, part: Part, choice: Choice) -> str:
    """Names the bytes of a frame's answer: in this form, of this state of the file."""
    state = instance.path.stat()
    facts = choice, part, str(instance.path), state.st_ino, state.st_mtime_ns, state.st_size
    return hashlib.blake2b(repr(facts).encode(), digest_size=16).hexdigest()


async def _read(instance: Instance, number: int) -> bytes:
    try:
        return await asyncio.to_thread(read_frame, instance, number)
    except (VolstreamError, OSError) as error:
        log.warning("frame %d of %s: %s", number + 1, instance.path, error)
        raise web.HTTPInternalServerError(text="the stored frame cannot be read") from error


async def _send(request: web.Request, envelope: Envelope, bodies: AsyncIterator[bytes]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": envelope.content_type})
    response.content_length = envelope.length
    first = await anext(bodies)  # what is wrong with it can still be told by the status
    await response.prepare(request)
    await envelope.write(response, first, bodies)
    return response


def _find(request: web.Request) -> Instance:
    wanted = request.match_info
    series = request.app[_INDEX].get((wanted["study"], wanted["series"]))
    instance = series and series.instances.get(wanted["instance"])
    if not instance:
        raise web.HTTPNotFound(text="no such instance")
    return instance


def _frame_numbers(text: str | None, count: int) -> list[int]:
    """Frame numbers from 0, of a list that counts from 1; all of them for None."""
    if text is None:
        return list(range(count))
    items = text.split(",")
    if not all(item.isdecimal() and 0 < len(item) < 10 for item in items) or len(items) > count:
        raise web.HTTPBadRequest(text="the frame list is not a list of different numbers")
    numbers = [int(item) - 1 for item in items]
    if not all(0 <= number < count for number in numbers):
        raise web.HTTPNotFound(text=f"frames are numbered from 1 to {count}")
    return numbers


def _accept(request: web.Request) -> str:
    return ",".join(request.headers.getall("Accept", []))[:4096]


@web.middleware
async def _check_host(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A page elsewhere may point its own name at this machine (DNS rebinding): only known names are answered."""
    name = request.url.host or ""
    if name not in request.app[_HOSTS] and not is_loopback(name):
        raise web.HTTPMisdirectedRequest(text="unknown host")
    return await handler(request)


def is_loopback(name: str) -> bool:
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


async def _harden(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update({"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"})
