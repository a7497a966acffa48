"""A whole series in one answer."""

from __future__ import annotations

from pathlib import Path

import pytest

import faults as bad
from badserver import BadServer
from fetching import collect, fetch, frames_of, got, make_files, run
from volstream.errors import HttpStatusError
from volstream.fetch import wado
from volstream.fetch.options import FetchOptions
from volstream.fetch.source import open_source

SERIES = r"series/[0-9.]+$"


@pytest.mark.parametrize("enhanced", [False, True])
def test_one_request(tmp_path: Path, enhanced: bool) -> None:
    files = make_files(tmp_path, count=5, enhanced=enhanced)
    results, server = fetch(files, retrieve="series")
    assert got(results) == frames_of(files)
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("fault", "single"),
    [
        (bad.changed(cut=6000, framing="close"), 2),
        (bad.changed(cut=6000, end="rst"), 2),
        (bad.changed(closed=False), 1),
        (bad.edit_parts(lambda parts: parts[:1] + parts[2:]), 1),
        (bad.edit_parts(lambda parts: parts[::-1] + parts), 0),
        (bad.bodies(lambda body: body[:-1]), 3),
        (bad.bodies(lambda body: b"text"), 3),
        (bad.status(404), 3),
        (bad.status(406), 3),
        (bad.status(500), 3),
        (bad.page, 3),
    ],
)
def test_what_is_missing_comes_frame_by_frame(files: list[bytes], fault: bad.Fault, single: int) -> None:
    results, server = fetch(files, lambda s: s.misbehave(fault, path=SERIES), retrieve="series")
    assert got(results) == frames_of(files)
    assert server.count("/frames/") == single


def test_a_frame_that_cannot_be_had_at_all(files: list[bytes]) -> None:
    def misbehave(server: BadServer) -> None:
        server.misbehave(bad.edit_parts(lambda parts: parts[1:]), path=SERIES)
        server.misbehave(bad.status(404))

    results, _ = fetch(files, misbehave, retrieve="series")
    assert isinstance(results[0], HttpStatusError)
    assert got(results[1:]) == frames_of(files)[1:]


def test_only_what_is_wanted_is_delivered(files: list[bytes]) -> None:
    async def main() -> None:
        async with BadServer(files) as server:
            source = open_source(server.series_url, FetchOptions(retrieve="series"))
            records = await source.records()
            results = await collect(source, records[:2])
            assert set(results) == {record.address for record in records[:2]}
            await source.close()

    run(main)


@pytest.fixture
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wado, "MANY", 3)


@pytest.mark.usefixtures("few_are_many")
def test_many_small_images_are_asked_for_together(files: list[bytes]) -> None:
    results, server = fetch(files)
    assert got(results) == frames_of(files)
    assert server.count(SERIES) == 1
    assert server.count("/frames/") == 0


@pytest.mark.usefixtures("few_are_many")
def test_large_images_are_not(files: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wado, "SMALL", 100)
    results, server = fetch(files)
    assert got(results) == frames_of(files)
    assert server.count(SERIES) == 0


@pytest.mark.usefixtures("few_are_many")
def test_nor_is_the_series_for_one_of_its_images(files: list[bytes]) -> None:
    async def main() -> None:
        async with BadServer(files) as server:
            source = open_source(server.series_url, FetchOptions())
            records = await source.records()
            results = await collect(source, records[1:2])
            await source.close()
            assert got(list(results.values())) == frames_of(files)[1:2]
            assert server.count(SERIES) == 0

    run(main)
