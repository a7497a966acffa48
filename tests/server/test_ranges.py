"""Pieces of a frame's answer, RFC 9110 sections 13 and 14."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest

from volstream import syntaxes as ts
from volstream.fetch.source import Fetched, Partial, Want, open_source
from volstream.samples import write_series
from volstream.server import serve

SMALL: dict[str, Any] = {"slices": 2, "rows": 48, "columns": 64}
ACCEPTS = ['multipart/related; type="application/octet-stream"; transfer-syntax=*', "image/jphc; transfer-syntax=*"]


@pytest.fixture
def frame(tmp_path: Path) -> Iterator[str]:
    truth = write_series(tmp_path, transfer_syntax=ts.HTJ2K_LOSSLESS, **SMALL)
    with serve(tmp_path) as server:
        yield f"{server.series[0]}/instances/{truth.uids[0]}/frames/1"


@pytest.mark.parametrize("accept", ACCEPTS)
def test_a_body_is_the_same_each_time_and_says_so(client: Any, frame: str, accept: str) -> None:
    one, two = (client.get(frame, accept) for _ in range(2))
    assert one.status == 200
    assert (one.body, one.headers["Content-Type"]) == (two.body, two.headers["Content-Type"])
    assert one.headers["ETag"] == two.headers["ETag"]
    assert one.headers["ETag"].startswith('"')
    assert one.headers["Accept-Ranges"] == "bytes"


def test_each_form_has_its_own_etag(client: Any, frame: str) -> None:
    forms = [*ACCEPTS, 'multipart/related; type="image/jphc"', "application/octet-stream; transfer-syntax=*"]
    assert len({client.get(frame, accept).headers["ETag"] for accept in forms}) == len(forms)


@pytest.mark.parametrize("accept", ACCEPTS)
@pytest.mark.parametrize(
    ("field", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-99", 0, 99),
        ("bytes=100-", 100, None),
        ("bytes=-100", -100, None),
        ("bytes=-999999", 0, None),
        ("Bytes=7-999999", 7, None),
    ],
)
def test_a_range(client: Any, frame: str, accept: str, field: str, first: int, last: int | None) -> None:
    whole = client.get(frame, accept)
    size = len(whole.body)
    first = first % size
    last = size - 1 if last is None else last
    for condition in ({}, {"If-Range": whole.headers["ETag"]}):
        part = client.get(frame, accept, Range=field, **condition)
        assert part.status == 206
        assert part.body == whole.body[first : last + 1]
        assert part.headers["Content-Range"] == f"bytes {first}-{last}/{size}"
        assert part.headers["ETag"] == whole.headers["ETag"]
        assert part.headers["Content-Type"] == whole.headers["Content-Type"]
        assert int(part.headers["Content-Length"]) == len(part.body)


@pytest.mark.parametrize("field", ["bytes=999999-", "bytes=999999-1000000", "bytes=-0"])
def test_a_range_that_lies_outside(client: Any, frame: str, field: str) -> None:
    size = len(client.get(frame, ACCEPTS[0]).body)
    answer = client.get(frame, ACCEPTS[0], Range=field)
    assert answer.status == 416
    assert answer.headers["Content-Range"] == f"bytes */{size}"


@pytest.mark.parametrize(
    "field",
    [
        "bytes=9-5",
        "bytes=-",
        "bytes=",
        "bytes=0-1,5-6",
        "bytes=a-b",
        "bytes=1",
        "frames=0-1",
        f"bytes={'9' * 30}-",
        "x",
    ],
)
def test_what_is_no_range_is_ignored(client: Any, frame: str, field: str) -> None:
    whole, answer = client.get(frame, ACCEPTS[0]), client.get(frame, ACCEPTS[0], Range=field)
    assert answer.status == 200
    assert answer.body == whole.body
    assert "Content-Range" not in answer.headers


def test_a_range_of_another_state_is_answered_with_everything(client: Any, frame: str, tmp_path: Path) -> None:
    before = client.get(frame, ACCEPTS[0])
    for path in tmp_path.rglob("*.dcm"):
        os.utime(path, ns=(1, 1))
    after = client.get(frame, ACCEPTS[0], Range="bytes=0-9", **{"If-Range": before.headers["ETag"]})
    assert after.status == 200
    assert after.headers["ETag"] != before.headers["ETag"]
    for other in ('"other"', f"W/{after.headers['ETag']}", "Sat, 05 Apr 2025 12:00:00 GMT"):
        assert client.get(frame, ACCEPTS[0], Range="bytes=0-9", **{"If-Range": other}).status == 200


def test_head_has_no_ranges(client: Any, frame: str) -> None:
    answer = client.get(frame, ACCEPTS[0], method="HEAD", Range="bytes=0-9")
    assert answer.status == 200
    assert int(answer.headers["Content-Length"]) == len(client.get(frame, ACCEPTS[0]).body)


def test_own_client_gets_frames_in_pieces(tmp_path: Path) -> None:
    truth = write_series(tmp_path, transfer_syntax=ts.HTJ2K_LOSSLESS, slices=2, rows=256, columns=256)

    async def main(url: str) -> None:
        source = open_source(url)
        came: list[Any] = []

        async def put(want: Want, fetched: Fetched) -> None:
            came.append(fetched)

        for record in await source.records():
            await source.fetch([Want(0, record, size=5000)], put)
            assert isinstance(came[-1], Partial)
            await source.fetch([Want(0, record, held=came[-1])], put)
            image = pydicom.dcmread(truth.files[truth.uids.index(record.uid)])
            (codestream,) = pydicom.encaps.generate_frames(image.PixelData, number_of_frames=1)
            assert b"".join(came[-1].data) == codestream
            assert came[-2].total == len(codestream)
        await source.close()

    with serve(tmp_path) as server:
        asyncio.run(main(server.series[0]))
