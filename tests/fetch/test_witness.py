"""Whether a server's images are what they were: by its validators, or by what it sends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import faults as bad
from badserver import BadServer, Instance
from fetching import make_files, run
from volstream.errors import HttpStatusError, UnreachableError
from volstream.fetch.options import FetchOptions
from volstream.fetch.source import Source, open_source

THEN, LATER = "Tue, 01 Jul 2025 08:00:00 GMT", "Tue, 01 Jul 2025 08:00:01 GMT"


@pytest.fixture
def files(tmp_path: Path) -> list[bytes]:
    return make_files(tmp_path, 4)


@contextlib.asynccontextmanager
async def source(url: Any, **options: Any) -> AsyncIterator[Source]:
    opened = open_source(url, FetchOptions(attempts=2, **options))
    try:
        yield opened
    finally:
        await opened.close()


async def stamp_of(url: Any) -> Any:
    async with source(url) as opened:
        assert not await opened.is_unchanged(None)
        await opened.records()
        return opened.stamp


async def is_unchanged(url: Any, stamp: Any) -> bool:
    async with source(url) as opened:
        return await opened.is_unchanged(stamp)


@pytest.mark.parametrize(
    "fault",
    [bad.etag, bad.modified(THEN, LATER), bad.both(bad.modified(THEN, LATER), bad.etag), bad.changed()],
    ids=["etag", "modified", "both", "neither"],
)
def test_one_request_tells(files: list[bytes], fault: bad.Fault) -> None:
    async def main() -> None:
        async with BadServer(files[:3]) as server:
            server.misbehave(fault, path="/metadata")
            stamp = await stamp_of(server.series_url)
            assert server.count("") == 1
            assert await is_unchanged(server.series_url, stamp)
            assert server.count("") == 2
            assert "no-cache" in server.requests[1].headers["cache-control"]

    run(main)


@pytest.mark.parametrize("fault", [bad.etag, bad.changed()], ids=["etag", "neither"])
def test_a_series_that_has_grown_is_told_and_read_in_the_same_request(files: list[bytes], fault: bad.Fault) -> None:
    async def main() -> None:
        async with BadServer(files[:3]) as server:
            server.misbehave(fault, path="/metadata")
            stamp = await stamp_of(server.series_url)
            new = Instance.of(files[3])
            server.instances[new.uid] = new
            async with source(server.series_url) as opened:
                assert not await opened.is_unchanged(stamp)
                assert len(await opened.records()) == 4
                assert server.count("") == 2
                assert await is_unchanged(server.series_url, opened.stamp)

    run(main)


def test_a_new_etag_on_the_same_content_is_no_change(files: list[bytes]) -> None:
    async def main() -> None:
        async with BadServer(files) as server:
            server.misbehave(bad.header("ETag", '"before"'), path="/metadata", times=1)
            stamp = await stamp_of(server.series_url)
            server.misbehave(bad.header("ETag", '"after"'), path="/metadata")
            assert await is_unchanged(server.series_url, stamp)
            assert server.requests[-1].headers["if-none-match"] == '"before"'

    run(main)


def test_what_changed_in_the_second_of_the_answer_has_no_date(files: list[bytes]) -> None:
    """It may change again in that second; RFC 9110 section 8.8.2.2."""

    async def main() -> None:
        async with BadServer(files) as server:
            for fault in (bad.modified(LATER, LATER), bad.modified("soon", LATER), bad.header("Last-Modified", THEN)):
                server.misbehave(fault, path="/metadata", times=1)
                (stamp,) = await stamp_of(server.series_url)
                assert set(stamp) == {"digest"}

    run(main)


@pytest.mark.parametrize("count", [1, 3])
def test_series_that_are_read_instance_by_instance(files: list[bytes], count: int) -> None:
    async def main() -> None:
        async with BadServer(files[:count]) as server:
            server.misbehave(bad.status(404), path="/series/[0-9.]+/metadata")
            server.misbehave(bad.etag, path="/instances/[0-9.]+/metadata")
            stamp = await stamp_of(server.series_url)
            assert await is_unchanged(server.series_url, stamp)
            new = Instance.of(files[3])
            server.instances[new.uid] = new
            server.misbehave(bad.changed(delay=0.1), path=f"{new.uid}/metadata")  # the last to answer
            async with source(server.series_url) as opened:
                assert not await opened.is_unchanged(stamp)
                assert len(await opened.records()) == count + 1

    run(main)


def test_metadata_that_were_cut_once_leave_no_mark(files: list[bytes]) -> None:
    async def main() -> None:
        async with BadServer(files) as server:
            stamp = await stamp_of(server.series_url)
            server.misbehave(bad.changed(cut=500), path="/metadata", times=1)
            assert await stamp_of(server.series_url) == stamp

    run(main)


def test_several_series_and_single_frames(files: list[bytes]) -> None:
    async def main() -> None:
        async with BadServer(files) as server:
            ids = [f"wadors:{server.frame_url(uid)}" for uid in list(server.instances)[:2]]
            stamp = await stamp_of(ids)
            assert await is_unchanged(ids, stamp)
            changed = server.instances[ids[0].split("/")[-3]]
            changed.metadata["00201041"] = {"vr": "DS", "Value": [7]}
            assert not await is_unchanged(ids, stamp)

    run(main)


@pytest.mark.parametrize("fault", [bad.etag, bad.changed()], ids=["etag", "neither"])
def test_objects_are_asked_for_one_by_one(files: list[bytes], fault: bad.Fault) -> None:
    async def main() -> None:
        async with BadServer(files) as server:
            server.misbehave(fault, path="/wado")
            ids = [f"wadouri:{server.object_url(uid)}" for uid in server.instances]
            stamp = await stamp_of(ids)
            assert await is_unchanged(ids, stamp)
            assert server.count("/wado") == 2 * len(ids)
            last = server.instances[list(server.instances)[-1]]
            last.part10 = last.part10[:-1] + b"?"
            assert not await is_unchanged(ids, stamp)

    run(main)


@pytest.mark.parametrize("code", [401, 403, 404, 502, 503])
def test_a_server_that_refuses_does_not_tell(files: list[bytes], code: int) -> None:
    async def main() -> None:
        async with BadServer(files) as server:
            stamp = await stamp_of(server.series_url)
            server.misbehave(bad.status(code), path="/")
            with pytest.raises(HttpStatusError):
                await is_unchanged(server.series_url, stamp)

    run(main)


def test_a_server_that_is_away_does_not_tell(files: list[bytes]) -> None:
    async def main() -> None:
        async with BadServer(files) as server:
            stamp = await stamp_of(server.series_url)
            ids = [f"wadouri:{server.object_url(uid)}" for uid in server.instances]
            of_objects = await stamp_of(ids)
            server.misbehave(bad.changed(delay=3600), path="/metadata")
            async with source(server.series_url, stall_timeout=0.05) as opened:
                with pytest.raises(UnreachableError, match="silent"):
                    await opened.is_unchanged(stamp)
        for each, known in ((server.series_url, stamp), (ids, of_objects)):
            with pytest.raises(UnreachableError, match="connection failed"):
                await is_unchanged(each, known)

    run(main)


def test_nothing_secret_is_in_identity_or_stamp(files: list[bytes]) -> None:
    async def main() -> None:
        async with BadServer(files) as server:
            url = server.series_url.replace("://", "://user:s3cret@") + "?access_token=s3cret&archive=2"
            stamp = await stamp_of(url)
            ids = [f"wadouri:{server.object_url(uid)}&token=s3cret" for uid in server.instances]
            of_objects = await stamp_of(ids)
            async with source(url) as series, source(ids) as objects:
                assert "s3cret" not in repr((series.identity, objects.identity, stamp, of_objects))
                assert "archive=2" in repr(series.identity)

    run(main)


def test_identities_differ_where_the_images_may() -> None:
    series = "http://host/studies/1/series/1.2"
    frame = "http://host/studies/1/series/1.2/instances/3/frames"
    sources: list[Any] = [
        series, series + "?archive=2", [series, series.replace("1.2", "1.4")],
        [f"wadors:{frame}/1"], [f"wadors:{frame}/2"], [f"wadors:{frame}/1", f"wadors:{frame}/2"],
        ["wadouri:http://host/wado?objectUID=1"], ["wadouri:http://host/wado?objectUID=1&frame=1"],
        ["wadouri:http://host/wado?objectUID=1&frame=2"], ["wadouri:http://host/wado?objectUID=1&transferSyntax=2"],
        ["dicomfile:/a"], ["dicomfile:/a?frame=1"], ["dicomfile:/a?frame=2"], ["/a", "/b"], "/a", "/b",
    ]  # fmt: skip

    async def main() -> set[Any]:
        opened = [open_source(each) for each in sources]
        try:
            return {each.identity for each in opened}
        finally:
            await asyncio.gather(*(each.close() for each in opened))

    # "/a" and "dicomfile:/a" are the same images.
    assert len(run(main)) == len(sources) - 1
    assert open_source([b"in memory"]).identity is None
