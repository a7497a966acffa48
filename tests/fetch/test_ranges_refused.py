"""Frames piece by piece where something else is in the way: refusals, credentials, manners of asking, bad frames."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import faults as bad
from badserver import BadServer
from fetching import fetch, fetch_in_pieces, frames_of, got, is_gapless, make_files, run, sent, whole
from volstream.errors import HttpStatusError, UnreachableError, VolstreamError
from volstream.fetch.options import FetchOptions
from volstream.fetch.source import Fetched, Partial, Want, open_source
from volstream.records import Payload
from volstream.syntaxes import HTJ2K_RPCL, RLE


@pytest.fixture
def files(tmp_path: Path) -> list[bytes]:
    return make_files(tmp_path / "htj2k", syntax=HTJ2K_RPCL)


# ------------------------------------------------------------------------------- defects of other loaders, by name


@pytest.mark.parametrize("code", [403, 404, 410])
@pytest.mark.parametrize("number", [0, 1])
def test_the_body_of_a_404_is_no_frame(code: int, number: int, files: list[bytes]) -> None:
    came, server = fetch_in_pieces(files, lambda s: s.misbehave(bad.nth(number, bad.status(code, "not here"))))
    for each in came:
        assert [type(piece) for piece in each] == [Partial] * number + [HttpStatusError]
        error = each[-1]
        assert isinstance(error, HttpStatusError)
        assert error.status == code
        assert error.uid
        assert error.address == server.frame_url(error.uid)
        assert "not here" in error.message
    assert server.count("/frames/") == (number + 1) * len(files)


def test_a_second_range_answered_200_replaces_what_is_held(files: list[bytes]) -> None:
    came, server = fetch_in_pieces(files[:1], lambda s: s.misbehave(bad.nth(1, bad.changed(ranges=False))))
    assert [type(piece) for piece in came[0]] == [Partial, Payload]
    assert whole(came) == frames_of(files[:1])  # not 200 000 bytes and 200 000 more
    assert server.count("/frames/") == 2


def test_a_resource_that_changed_comes_whole_and_anew(files: list[bytes]) -> None:
    """The server heeds If-Range."""
    new = frames_of(files)[1][0]
    change = bad.nth(1, bad.bodies(lambda body: new))
    came, server = fetch_in_pieces(files[:1], lambda s: s.misbehave(change))
    assert [type(piece) for piece in came[0]] == [Partial, Payload]
    assert whole(came)[0][0] == new
    assert server.count("/frames/") == 2


# ------------------------------------------------------------------------------- as with any request


def test_credentials_are_renewed_between_the_pieces(files: list[bytes]) -> None:
    tokens = iter(["one", "two"])

    def misbehave(server: BadServer) -> None:
        server.misbehave(bad.needs("Authorization", "Bearer one"), path="/metadata")
        server.misbehave(bad.nth(0, bad.needs("Authorization", "Bearer one")))
        server.misbehave(bad.nth(1, bad.needs("Authorization", "Bearer two")))
        server.misbehave(bad.nth(2, bad.needs("Authorization", "Bearer two")))

    came, server = fetch_in_pieces(files[:1], misbehave, auth=lambda refused: next(tokens))
    assert whole(came) == frames_of(files[:1])
    frames = [request.headers for request in server.requests if "/frames/" in request.target]
    assert [headers["authorization"][-3:] for headers in frames] == ["one", "one", "two"]
    assert frames[1]["range"] == frames[2]["range"]


def test_redirects_keep_the_range_and_tell_no_secret(files: list[bytes]) -> None:
    async def main() -> None:
        async with BadServer(files) as home, BadServer(files) as away:
            home.misbehave(lambda request, reply: bad.redirect(f"{away.origin}{request.path}")(request, reply))
            source = open_source(home.series_url, FetchOptions(headers={"X-Key": "s3cret"}))
            results: list[Fetched] = []

            async def put(want: Want, fetched: Fetched) -> None:
                results.append(fetched)

            record = (await source.records())[0]
            await source.fetch([Want(0, record, size=300)], put)
            assert isinstance(results[0], Partial)
            await source.fetch([Want(0, record, held=results[0])], put)
            await source.close()
            assert got(results[1:])[0] in frames_of(files)
            assert is_gapless([request.sent for request in away.requests])
            assert not any("x-key" in request.headers for request in away.requests)

    run(main)


def test_a_range_that_does_not_come_in_time(files: list[bytes]) -> None:
    drip = bad.changed(drip=0.01, chunk=1)
    came, _ = fetch_in_pieces(files[:1], lambda s: s.misbehave(drip, ranged=True), deadline=0.2)
    assert [type(piece) for piece in came[0]] == [UnreachableError]
    assert "no complete answer within 0.2 s" in str(came[0][0])


@pytest.mark.parametrize("accept", [r"type=application/octet-stream", "^(?!.*transfer-syntax)", "image/jls", r"^\*/\*"])
@pytest.mark.parametrize("code", [400, 406, 500])
def test_the_manner_of_asking_is_found_out_with_the_first_range(accept: str, code: int, files: list[bytes]) -> None:
    came, server = fetch_in_pieces(files, lambda s: s.misbehave(bad.unless_accept(accept, code)))
    assert whole(came) == frames_of(files)
    refused = {request.accept for request in server.requests if "range" in request.headers and request.sent == (0, 0)}
    ranges = [[each for each in ranges if each != (0, 0)] for ranges in sent(server).values()]
    assert all(is_gapless(each) for each in ranges)
    assert all(len(each) == 2 for each in ranges)
    # Asked once in each manner that does not do, or twice where the Range may have been the reason.
    assert server.count("/frames/") <= 2 * len(refused) + 2 * len(files)


def test_instances_instead_of_frames(files: list[bytes]) -> None:
    came, server = fetch_in_pieces(files, lambda s: s.misbehave(bad.status(406)))
    assert whole(came) == frames_of(files)
    assert not any("range" in request.headers for request in server.requests if request.target.endswith(".1"))
    assert [len(each) for each in came] == [1] * len(files)


def test_many_connections_find_out_together(tmp_path: Path) -> None:
    files = make_files(tmp_path, count=24, syntax=HTJ2K_RPCL)

    async def main() -> None:
        async with BadServer(files) as server:
            server.misbehave(bad.changed(ranges=False))
            source = open_source(server.series_url)
            results: list[Fetched] = []

            async def put(want: Want, fetched: Fetched) -> None:
                results.append(fetched)

            async with asyncio.TaskGroup() as group:
                for index, record in enumerate(await source.records()):
                    group.create_task(source.fetch([Want(index, record, size=300)], put))
            await source.close()
            assert sorted(got(results)) == sorted(frames_of(files))
            assert server.count("/frames/") == len(files)
            assert sum("range" in request.headers for request in server.requests) == 1

    run(main)


def test_wants_of_all_kinds_in_one_batch(tmp_path: Path) -> None:
    files = make_files(tmp_path, count=4, enhanced=True, syntax=HTJ2K_RPCL)

    async def main() -> None:
        async with BadServer(files) as server:
            source = open_source(server.series_url)
            records = await source.records()
            results: dict[int, Fetched] = {}

            async def put(want: Want, fetched: Fetched) -> None:
                results[want.index] = fetched

            await source.fetch([Want(0, records[0], size=300)], put)
            held = results.pop(0)
            assert isinstance(held, Partial)
            wants = [Want(0, records[0], held=held), Want(1, records[1]), Want(2, records[2], size=300)]
            await source.fetch([*wants, Want(3, records[3], size=1 << 20)], put)
            await source.close()
            assert [type(results[i]) for i in range(4)] == [Payload, Payload, Partial, Payload]
            assert got([results[i] for i in (0, 1, 3)]) == [frames_of(files)[i] for i in (0, 1, 3)]

    run(main)


# ------------------------------------------------------------------------------- bad frames


BAD_FRAMES: dict[str, bad.Fault] = {
    "a page": bad.page,
    "no closing boundary": bad.changed(closed=False),
    "a part that is longer than it says": bad.part_length(-1),
    "a part that is shorter than it says": bad.part_length(1),
    "an empty part": bad.bodies(lambda body: b""),
    "two parts": bad.edit_parts(lambda parts: parts * 2),
    "no part": bad.edit_parts(lambda parts: []),
    "another boundary than announced": bad.changed(boundary_field="boundary=other"),
    "multipart in multipart": bad.part_headers(content_type="multipart/mixed; boundary=x"),
    "base64": bad.part_headers("Content-Transfer-Encoding: base64"),
    "longer than a frame can be": bad.bodies(lambda body: body + bytes(1 << 21)),
    "nothing": bad.both(bad.single(), bad.changed(body=b"")),
    "cut codestream": bad.bodies(lambda body: body[:-100]),
}


@pytest.mark.parametrize("syntax", [HTJ2K_RPCL, RLE, ""])
@pytest.mark.parametrize("fault", BAD_FRAMES)
def test_a_bad_frame_is_judged_as_if_it_had_come_whole(fault: str, syntax: str, tmp_path: Path) -> None:
    files = make_files(tmp_path, count=2, **({"syntax": syntax} if syntax else {}))

    def outcome(fetched: Fetched) -> object:
        if isinstance(fetched, VolstreamError):
            return type(fetched), fetched.message, fetched.uid
        return got([fetched])

    came, _ = fetch_in_pieces(files, lambda s: s.misbehave(BAD_FRAMES[fault]), attempts=1)
    plain, _ = fetch(files, lambda s: s.misbehave(BAD_FRAMES[fault]), attempts=1)
    assert [outcome(each[-1]) for each in came] == [outcome(each) for each in plain]
