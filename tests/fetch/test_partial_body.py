"""Range answers one by one: which follow each other, and which have nothing to do with each other."""

from __future__ import annotations

import gzip
from typing import Any, cast

import aiohttp
import pytest

from fetching import run
from volstream.errors import ProtocolError, TruncatedError
from volstream.fetch.answer import Limits, StreamedAnswer
from volstream.fetch.partial_body import PartialBody
from volstream.fetch.retry import Clock

BODY = b"--b\r\nContent-Type: image/jphc\r\n\r\n" + bytes(range(100)) + b"\r\n--b--\r\n"
HEAD, SIZE = 33, len(BODY)
MULTIPART = "multipart/related; boundary=b"


class Response:
    """What aiohttp hands out; `chunks` may end with an error."""

    status, reason = 206, "Partial Content"

    def __init__(self, chunks: list[bytes | Exception], headers: dict[str, str]) -> None:
        self.headers = headers
        length = headers.get("Content-Length")
        self.content_length = None if length is None else int(length)
        self._chunks = iter(chunks)

    @property
    def content(self) -> Response:
        return self

    async def readany(self) -> bytes:
        chunk = next(self._chunks, b"")
        if isinstance(chunk, Exception):
            raise chunk
        return chunk


def take(body: PartialBody, start: int, stop: int, *, total: object = SIZE, error: Exception | None = None,
         sent: bytes | None = None, length: int | None = None, limit: int = 1000, **headers: str) -> None:  # fmt: skip
    """Bytes `start` to `stop` arrive, or those that are said to be `sent`, in two chunks."""
    data = BODY[start:stop] if sent is None else sent
    middle = len(data) // 2
    chunks: list[bytes | Exception] = [chunk for chunk in (data[:middle], data[middle:]) if chunk]
    fields = {"Content-Range": f"bytes {start}-{stop - 1}/{total}", "Content-Type": MULTIPART, "ETag": '"1"'}
    fields |= {} if length is None else {"Content-Length": str(length)}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    fields = {name: value for name, value in fields.items() if value}
    response = Response(chunks + ([error] if error else []), fields)
    run(lambda: body.take(StreamedAnswer(cast(Any, response), Limits(limit), Clock())))


def held(size: int = 50, **headers: str) -> PartialBody:
    body = PartialBody()
    take(body, 0, size, **headers)  # type: ignore[arg-type]
    return body


def is_so_far(body: PartialBody, size: int) -> bool:
    return b"".join(body.chunks) == BODY[:size] and body.size == size


@pytest.mark.parametrize("start", [0, 1, 20, 25, 49, 50])
@pytest.mark.parametrize("stop", [51, 70, SIZE])
def test_what_follows_or_overlaps_is_added_once(start: int, stop: int) -> None:
    body = held()
    take(body, start, stop)
    assert is_so_far(body, stop)
    assert body.is_complete() == (stop == SIZE)


@pytest.mark.parametrize("stop", [1, 30, 50])
def test_what_is_here_already_adds_nothing(stop: int) -> None:
    body = held()
    take(body, 0, stop)
    assert is_so_far(body, 50)


def test_a_copy_goes_its_own_way() -> None:
    body = held()
    take(body.copy(), 50, 60)
    assert is_so_far(body, 50)


ARGUMENTS: dict[str, dict[str, Any]] = {
    "a gap": {"start": 51},
    "another total": {"total": SIZE + 1},
    "an impossible total": {"total": 59},
    "another ETag": {"ETag": '"2"'},
    "no ETag": {"ETag": ""},
    "another Content-Type": {"Content_Type": "multipart/related; boundary=c"},
    "gzip": {"Content_Encoding": "gzip", "sent": gzip.compress(BODY[50:60])},
    "no Content-Range": {"Content_Range": ""},
    "backwards": {"Content_Range": f"bytes 50-49/{SIZE}"},
    "several": {"Content_Range": f"bytes 50-59,70-79/{SIZE}"},
    "another length announced": {"length": 11},
    "another length announced, that does come": {"length": 11, "sent": BODY[50:61]},
    "more bytes than said": {"sent": BODY[50:61]},
    "other bytes where they overlap": {"start": 40, "sent": bytes(20)},
    "too many in all": {"limit": SIZE - 1},
    "too many": {"total": "*", "limit": 59},
}


@pytest.mark.parametrize("what", ARGUMENTS)
def test_refused(what: str) -> None:
    body = held()
    with pytest.raises(ProtocolError) as caught:
        take(body, **({"start": 50, "stop": 60} | ARGUMENTS[what]))
    assert not isinstance(caught.value, TruncatedError)


@pytest.mark.parametrize("field", ["bytes 0-49/49", "bytes 1-0/100", "bytes 50-0/100"])
def test_a_range_that_cannot_be(field: str) -> None:
    with pytest.raises(ProtocolError, match="cannot be"):
        take(PartialBody(), 0, 50, Content_Range=field)


def test_another_date_is_another_body() -> None:
    body = held(Last_Modified="Sat, 05 Apr 2025 12:00:00 GMT")
    take(body, 50, 60)  # need not be said again
    with pytest.raises(ProtocolError, match="Last-Modified"):
        take(body, 60, 70, Last_Modified="Sat, 05 Apr 2025 12:00:01 GMT")


def test_what_need_not_be_said_again() -> None:
    body = held()
    take(body, 50, 60, Content_Type="")
    take(body, 60, 70, total="*")
    assert body.total == SIZE
    assert body.is_multipart


@pytest.mark.parametrize("error", [aiohttp.ClientPayloadError(), ConnectionResetError(), TimeoutError()])
def test_what_came_before_it_broke_off_stays(error: Exception) -> None:
    body = held()
    with pytest.raises(type(error)):
        take(body, 50, 80, sent=BODY[50:60], error=error)
    assert is_so_far(body, 60)
    take(body, 60, 80, error=error)  # all there: what breaks after that does not matter
    assert is_so_far(body, 80)


def test_fewer_bytes_than_said() -> None:
    body = held()
    with pytest.raises(TruncatedError, match="10 bytes less"):
        take(body, 50, 70, sent=BODY[50:60])
    assert is_so_far(body, 60)


def test_nothing_came_of_the_first() -> None:
    """Then the next one may be of another state."""
    body = PartialBody()
    with pytest.raises(TruncatedError):
        take(body, 0, 50, sent=b"", ETag='"0"')
    take(body, 0, 50, total=SIZE)
    assert is_so_far(body, 50)
    assert body.request(None)["If-Range"] == '"1"'


# ------------------------------------------------------------------------------- asking


def test_what_is_asked_for() -> None:
    assert PartialBody().request(10) == {"Range": "bytes=0-9"}
    assert held(ETag="").request(None)["Range"] == "bytes=50-"
    assert held().request(80) == {"Range": "bytes=50-79", "If-Range": '"1"'}
    assert held().request(40)["Range"] == "bytes=50-50"  # never a range that is none


DAY = "Sat, 05 Apr 2025 12:00:"


@pytest.mark.parametrize(
    ("headers", "validator"),
    [
        ({"ETag": '"1"', "Last_Modified": f"{DAY}00 GMT", "Date": f"{DAY}10 GMT"}, '"1"'),
        ({"ETag": 'W/"1"'}, None),
        ({"ETag": 'W/"1"', "Last_Modified": f"{DAY}00 GMT", "Date": f"{DAY}10 GMT"}, f"{DAY}00 GMT"),
        ({"ETag": "", "Last_Modified": f"{DAY}00 GMT", "Date": f"{DAY}01 GMT"}, f"{DAY}00 GMT"),
        ({"ETag": "", "Last_Modified": f"{DAY}00 GMT", "Date": f"{DAY}00 GMT"}, None),
        ({"ETag": "", "Last_Modified": f"{DAY}00 GMT"}, None),
        ({"ETag": "", "Last_Modified": "yesterday", "Date": f"{DAY}00 GMT"}, None),
        ({"ETag": "", "Last_Modified": f"{DAY}00 -0000", "Date": f"{DAY}10 GMT"}, None),
    ],
)
def test_only_what_tells_states_apart_is_a_condition(headers: dict[str, str], validator: str | None) -> None:
    """RFC 9110 sections 13.1.5 and 8.8.2.2."""
    assert held(**headers).request(None).get("If-Range") == validator


# ------------------------------------------------------------------------------- what is in it


def test_the_head_and_what_is_behind_it() -> None:
    body = held(HEAD - 1)
    assert body.head() is None
    assert body.may_begin_later()
    take(body, HEAD - 1, HEAD + 10)
    head = body.head()
    assert head is not None
    assert (head.size, head.media_type.name, head.length) == (HEAD, "image/jphc", None)
    assert body.data(head) == (bytes(range(10)), 100)


def test_no_byte_of_the_closing_boundary_is_data() -> None:
    for size in range(HEAD + 100, SIZE + 1):
        body = held(size)
        head = body.head()
        assert head is not None
        assert body.data(head) == (bytes(range(100)), 100)


@pytest.mark.parametrize(("length", "told"), [(100, 100), (102, 102), (103, None)])
def test_the_parts_own_length(length: int, told: int | None) -> None:
    """It is believed as far as it can be."""
    start = BODY[:HEAD].replace(b"\r\n\r\n", b"\r\nContent-Length: %d\r\n\r\n" % length)
    body = PartialBody()
    take(body, 0, len(start) + 10, sent=start + bytes(10), total=len(start) + SIZE - HEAD)
    head = body.head()
    assert head is not None
    assert body.data(head) == (None if told is None else (bytes(10), told))


def test_total_unknown() -> None:
    body = PartialBody()
    take(body, 0, 50, total="*")
    head = body.head()
    assert head is not None
    assert body.data(head) is None
    for stop, complete in ((SIZE - 3, False), (SIZE - 2, True), (SIZE - 1, False), (SIZE, True)):
        end = body.copy()
        take(end, 50, stop, total="*")
        assert end.is_complete() == complete


def test_single_part() -> None:
    body = PartialBody()
    take(body, 0, 50, Content_Type="image/jphc")
    head = body.head()
    assert head is not None
    assert head.size == 0
    assert body.data(head) == (BODY[:50], SIZE)
