"""Kept volumes of servers: one question tells whether they are right still; without an answer they are used as such."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import faults as bad
import volstream
from badserver import BadServer, running
from dicomfactory import case
from dicomseries import Case
from volstream import HttpStatusError, ProtocolError, SourceError, TruncatedError, UnreachableError
from volstream.server import serve

#: Impatient, so that the tests are quick.
QUICK: dict[str, Any] = {"attempts": 2, "connect_timeout": 2.0, "stall_timeout": 0.3, "deadline": 5.0}


@pytest.fixture
def series(tmp_path: Path) -> Case:
    return case("plain", tmp_path / "series")


@pytest.fixture
def server(series: Case) -> BadServer:
    return BadServer([path.read_bytes() for path in series.files.values()])


@pytest.fixture
def options(tmp_path: Path) -> dict[str, Any]:
    return {"cache_dir": tmp_path / "cache", **QUICK}


@pytest.mark.parametrize("retrieve", ["frames", "series"])
@pytest.mark.parametrize("fault", [bad.etag, bad.changed()], ids=["etag", "no validator"])
def test_a_series_is_loaded_once(
    server: BadServer, series: Case, options: dict[str, Any], fault: bad.Fault, retrieve: str
) -> None:
    server.misbehave(fault, path="/metadata")
    with running(server):
        counts = []
        for _ in range(3):
            with volstream.load(server.series_url, retrieve=retrieve, **options) as volume:
                np.testing.assert_array_equal(volume.array, series.array)
                np.testing.assert_allclose(volume.affine, series.affine)
                assert volume.geometry.findings == ()
            counts.append((server.count("/metadata"), server.count("")))
    first = counts[0][1]
    assert counts == [(1, first), (2, first + 1), (3, first + 2)]


def test_with_the_embedded_server(series: Case, options: dict[str, Any]) -> None:
    with serve(series.folder) as server:
        for _ in range(2):
            with volstream.load(server.series[0], **options) as volume:
                np.testing.assert_array_equal(volume.array, series.array)
    with volstream.load(server.series[0], **options) as volume:
        np.testing.assert_array_equal(volume.array, series.array)


@pytest.mark.parametrize("scheme", ["wadors", "wadouri"])
def test_image_ids(server: BadServer, series: Case, options: dict[str, Any], scheme: str) -> None:
    server.misbehave(bad.etag, path="/metadata|/wado")
    with running(server):
        url = server.frame_url if scheme == "wadors" else server.object_url
        for _ in range(2):
            before = server.count("/frames/|/wado")
            with volstream.load([f"{scheme}:{url(uid)}" for uid in series.uids[2:8]], **options) as volume:
                np.testing.assert_array_equal(volume.array, series.array[2:8])
        if scheme == "wadors":
            assert server.count("/frames/") == before
        else:
            assert all("if-none-match" in request.headers for request in server.requests[-6:])
    with volstream.load([f"{scheme}:{url(uid)}" for uid in series.uids[2:8]], **options) as volume:
        np.testing.assert_array_equal(volume.array, series.array[2:8])


@pytest.mark.parametrize("fault", [bad.etag, bad.changed()], ids=["etag", "no validator"])
def test_a_series_that_has_grown_is_never_served_as_it_was(
    server: BadServer, series: Case, options: dict[str, Any], fault: bad.Fault
) -> None:
    server.misbehave(fault, path="/metadata")
    last = server.instances.pop(series.uids[-1])
    with running(server):
        with volstream.load(server.series_url, **options) as volume:
            np.testing.assert_array_equal(volume.array, series.array[:-1])
        server.instances[last.uid] = last
        for _ in range(2):
            with volstream.load(server.series_url, **options) as volume:
                np.testing.assert_array_equal(volume.array, series.array)
        assert server.count("/frames/") == 11 + 12
        assert server.count("/metadata") == 3
    with volstream.load(server.series_url, **options) as volume:
        np.testing.assert_array_equal(volume.array, series.array)
    assert len(list(options["cache_dir"].glob("*.volstream"))) == 1


@pytest.mark.parametrize(
    "trouble",
    [None, bad.changed(delay=3600), bad.status(502), bad.status(503), bad.status(504)],
    ids=["gone", "silent", "502", "503", "504"],
)
def test_without_an_answer_the_kept_volume_is_used_and_says_so(
    server: BadServer, series: Case, options: dict[str, Any], trouble: bad.Fault | None,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    with running(server):
        volstream.load(server.series_url, **options).close()
        if trouble is not None:
            server.misbehave(trouble, path="/metadata")
            check_offline(server.series_url, series, options)
    if trouble is None:
        check_offline(server.series_url, series, options)
    assert "is taken from the cache, as it was on 20" in caplog.text


def check_offline(url: str, series: Case, options: dict[str, Any]) -> None:
    async def under_asyncio() -> None:
        async with volstream.open(url, **options) as volume:
            await volume.wait_async(timeout=10)
            assert [finding.kind for finding in volume.geometry.findings] == ["offline"]

    with volstream.load(url, **options) as volume:
        np.testing.assert_array_equal(volume.array, series.array)
        np.testing.assert_allclose(volume.affine, series.affine)
        (finding,) = volume.geometry.findings
        assert finding.kind == "offline"
        assert "the server does not tell what it has now" in finding.message
    asyncio.run(under_asyncio())


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (bad.status(401), HttpStatusError), (bad.status(403), HttpStatusError), (bad.status(404), HttpStatusError),
        (bad.status(500), HttpStatusError), (bad.page, ProtocolError), (bad.status(204), TruncatedError),
    ],
    ids=["401", "403", "404", "500", "page", "204"],
)  # fmt: skip
def test_an_answer_is_believed(
    server: BadServer, options: dict[str, Any], trouble: bad.Fault, error: type[Exception]
) -> None:
    """Whoever may not see the series, or no longer, is not shown what is left of it; a loss is not concealed."""
    with running(server):
        volstream.load(server.series_url, **options).close()
        server.misbehave(trouble, path="/")
        with pytest.raises(error):
            volstream.load(server.series_url, **options)


def test_what_was_never_loaded_cannot_be_had_without_a_server(server: BadServer, options: dict[str, Any]) -> None:
    with running(server):
        pass
    with pytest.raises(UnreachableError):
        volstream.load(server.series_url, **options)
    with running(BadServer([each.part10 for each in server.instances.values()])) as other:
        volstream.load(other.series_url, **options).close()
    with pytest.raises(UnreachableError):
        volstream.load(other.series_url, dtype="float64", **options)


def test_an_untrusted_certificate_is_an_answer_of_somebody_else(
    server: BadServer, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(server):
        volstream.load(server.series_url, **options).close()

    async def untrusted(*_: Any, **__: Any) -> None:
        raise SourceError("no trusted connection")

    monkeypatch.setattr("volstream.fetch.wado.read_series", untrusted)
    with pytest.raises(SourceError, match="trusted"):
        volstream.load(server.series_url, **options)


def test_credentials_are_needed_for_what_is_kept_too(server: BadServer, series: Case, options: dict[str, Any]) -> None:
    server.misbehave(bad.needs("Authorization", "Bearer one", "Bearer two"), path="/")
    with running(server):
        for token in ("one", "two"):
            with volstream.load(server.series_url, headers={"Authorization": f"Bearer {token}"}, **options) as volume:
                np.testing.assert_array_equal(volume.array, series.array)
        assert server.count("/frames/") == 12
        with pytest.raises(HttpStatusError):
            volstream.load(server.series_url, headers={"Authorization": "Bearer three"}, **options)
    (file,) = options["cache_dir"].glob("*.volstream")
    assert b"Bearer" not in file.read_bytes()


def test_a_load_that_fails_is_followed_by_one_that_tries_again(
    server: BadServer, series: Case, options: dict[str, Any]
) -> None:
    server.misbehave(bad.status(404), path=f"{series.uids[4]}/", times=40)
    with running(server):
        with pytest.raises(HttpStatusError):
            volstream.load(server.series_url, **options)
        assert list(options["cache_dir"].glob("*.volstream")) == []
        with volstream.load(server.series_url, on_error="fill", **options) as volume:
            assert list(volume.errors) == [4]
            with pytest.raises(ValueError, match="read-only"):
                volume.array[0] = 0
        server.misbehave(bad.changed(), path="/")
        for rule in server._rules:
            rule.times = 0
        with volstream.load(server.series_url, **options) as volume:
            np.testing.assert_array_equal(volume.array, series.array)


def test_failed_slices_tried_again_make_a_whole_volume(
    server: BadServer, series: Case, options: dict[str, Any]
) -> None:
    server.misbehave(bad.status(404), path=f"{series.uids[4]}/")
    with running(server):
        with volstream.open(server.series_url, **options) as volume:
            while not volume.ended:
                threading.Event().wait(0.01)
            assert list(volume.errors) == [4]
            server._rules.clear()
            volume.retry_failed().wait(timeout=10)
            np.testing.assert_array_equal(volume.array, series.array)
        before = server.count("")
        with volstream.load(server.series_url, **options) as volume:
            np.testing.assert_array_equal(volume.array, series.array)
        assert server.count("") == before + 1


def test_two_at_once_in_one_process(server: BadServer, series: Case, options: dict[str, Any]) -> None:
    server.misbehave(bad.changed(delay=0.05))
    volumes: list[Any] = []

    def load() -> None:
        with volstream.load(server.series_url, **options) as volume:
            volumes.append(volume.array)

    with running(server):
        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.count("/frames/") == 12
    assert len(volumes) == 4
    for array in volumes:
        np.testing.assert_array_equal(array, series.array)
