"""What is in the body of an answer to a request for frames: one of them, or several in parts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from volstream._native import MultipartParser
from volstream.errors import ProtocolError, TruncatedError
from volstream.fetch.answer import Answer, Limits
from volstream.fetch.http import printable
from volstream.fetch.mediatype import MediaType, boundary_of, parse_media_type
from volstream.fetch.negotiation import syntax_of
from volstream.fetch.only_part import only_part
from volstream.records import FrameRecord, Payload
from volstream.syntaxes import SYNTAXES

#: Room for multipart framing.
FRAMING = 64 << 10


def limits_of(records: Sequence[FrameRecord]) -> Limits:
    """How much an answer with these frames, which are of one instance, may hold."""
    size = records[0].pixel.frame_bytes
    # What is stored uncompressed has its exact size (and some room to notice a missing boundary); what may be
    # compressed can be larger than its pixels.
    part = size + 256 if is_raw(records[0].transfer_syntax) else 2 * size + (1 << 20)
    count = len(records)
    return Limits(count * part + FRAMING + 1024 * count, part=part, parts=count, expected=size)


def is_raw(transfer_syntax: str) -> bool:
    syntax = SYNTAXES.get(transfer_syntax)
    return syntax is not None and syntax.codec.startswith("raw") and not syntax.encapsulated


async def read_frame(answer: Answer, record: FrameRecord) -> Payload:
    """The frame that was asked for."""
    kind = answer.media_type
    await check_kind(answer)
    if kind.name.startswith("multipart/"):
        return frame_of(record, kind, await answer.all_chunks())
    body = await answer.body(record.pixel.frame_bytes)
    return Payload(memoryview(body), syntax_of(record, [body], kind))


def frame_of(record: FrameRecord, kind: MediaType, chunks: Sequence[bytes]) -> Payload:
    """The frame in a body of media type `kind` that is all here; its bytes are copied only if framing is unusual."""
    if not kind.name.startswith("multipart/"):
        pieces = tuple(memoryview(chunk) for chunk in chunks)
        return Payload(pieces, syntax_of(record, pieces, kind))
    size = record.pixel.frame_bytes
    if found := only_part(chunks, boundary_of(kind), size):
        return Payload(found[1], syntax_of(record, found[1], found[0], kind))
    limits = limits_of([record])
    parser = MultipartParser(boundary_of(kind), part_limit=limits.part, reserve=min(limits.part, size))
    parts = [part for chunk in chunks for part in parser.feed(chunk)]
    parser.finish()
    if not parts:
        raise TruncatedError("an answer without parts")
    return _payload(record, *parts[0], kind)


async def read_frames(answer: Answer, records: Sequence[FrameRecord]) -> list[Payload]:
    """The frames that were asked for, in that order, each out of its part of the answer."""
    kind = answer.media_type
    await check_kind(answer)
    if not kind.name.startswith("multipart/"):
        raise ProtocolError(f"the server sends one {kind.name or 'body'} instead of {len(records)} frames")
    numbers = [record.frame + 1 for record in records]
    payloads: dict[int, Payload] = {}
    located = True
    async for headers, data in answer.parts():
        index = len(payloads)
        match = re.search(r"/frames/(\d+)/?$", headers.get("content-location", ""))
        if match and int(match[1]) in numbers:
            index = numbers.index(int(match[1]))
        else:
            located = False
        if index in payloads:
            raise ProtocolError("a frame is sent twice")
        payloads[index] = _payload(records[index], headers, data, kind)
    if len(payloads) != len(records):
        # Not even the ones that came can be used if only their order says which they are.
        raise TruncatedError(f"{len(payloads)} parts for {len(records)} frames" + ("" if located else ", unnamed"))
    return [payloads[index] for index in range(len(records))]


def _payload(record: FrameRecord, headers: Mapping[str, str], data: memoryview, kind: MediaType) -> Payload:
    label = parse_media_type(headers.get("content-type", ""))
    if label.name.startswith("multipart/"):
        raise ProtocolError("a multipart body within a multipart body")
    coding = headers.get("content-transfer-encoding", "binary").lower()
    if coding not in ("binary", "8bit", "7bit"):
        raise ProtocolError(f"a part comes in Content-Transfer-Encoding {coding[:40]!r}")
    if not data:
        raise TruncatedError("a part is empty")
    return Payload(data, syntax_of(record, [data], label, kind))


async def check_kind(answer: Answer) -> None:
    """Raises ProtocolError for a page or a message."""
    kind = answer.media_type.name
    if kind.startswith("text/") or kind.endswith(("html", "json", "xml")):
        raise ProtocolError(f"the server sends {kind} instead of a frame: {printable(await answer.beginning(), 120)}")
