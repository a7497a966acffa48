"""WADO-URI: each answer is a Part 10 object."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import faults as bad
from badserver import BadServer
from fetching import collect, frames_of, make_files, run
from volstream.errors import DamagedError, HttpStatusError, ProtocolError, SourceError
from volstream.fetch import wado_uri
from volstream.fetch.options import FetchOptions
from volstream.fetch.source import open_source
from volstream.records import Payload


def load(
    files: list[bytes], misbehave: Callable[[BadServer], None] = lambda server: None, suffix: str = ""
) -> tuple[list[bytes], BadServer]:
    async def main() -> tuple[list[bytes], BadServer]:
        async with BadServer(files) as server:
            misbehave(server)
            ids = [f"wadouri:{server.object_url(uid)}{suffix}" for uid in server.instances]
            source = open_source(ids, FetchOptions(attempts=2))
            try:
                records = await source.records()
                results = await collect(source, records)
            finally:
                await source.close()
            if len(records) == len(ids):
                assert list(results) == ids
            return [bytes(result.data) for result in results.values() if isinstance(result, Payload)], server  # type: ignore[arg-type]

    return run(main)


def test_objects_are_asked_for_once(files: list[bytes]) -> None:
    data, server = load(files)
    assert data == [frame for frame, _ in frames_of(files)]
    assert server.count("/wado") == len(files)


def test_objects_that_are_not_kept_are_asked_for_again(files: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wado_uri, "KEPT_BYTES", 2000)
    data, server = load(files)
    assert sorted(data) == sorted(frame for frame, _ in frames_of(files))
    assert server.count("/wado") == 2 * len(files) - 1


def test_frames_of_a_large_object_come_with_one_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wado_uri, "KEPT_BYTES", 0)
    files = make_files(tmp_path, count=5, enhanced=True)
    data, server = load(files)
    assert data == [frame for frame, _ in frames_of(files)]
    assert server.count("/wado") == 2


def test_one_frame(tmp_path: Path) -> None:
    files = make_files(tmp_path, count=5, enhanced=True)
    assert load(files, suffix="&frame=3")[0] == [frames_of(files)[2][0]]
    with pytest.raises(SourceError, match="no such frame"):
        load(files, suffix="&frame=6")


def test_a_fault_that_passes(files: list[bytes]) -> None:
    data, _ = load(files, lambda s: s.misbehave(bad.changed(cut=500), path="/wado", times=1))
    assert data == [frame for frame, _ in frames_of(files)]


def test_another_instance(files: list[bytes]) -> None:
    with pytest.raises(DamagedError, match="another instance"):
        load(files, lambda s: s.misbehave(bad.changed(body=files[0]), path="/wado"))


@pytest.mark.parametrize(
    "fault", [bad.page, bad.changed(body=b"text" * 99), bad.changed(headers={"Content-Type": "image/jpeg"})]
)
def test_something_else_than_an_object(fault: bad.Fault, files: list[bytes]) -> None:
    with pytest.raises(ProtocolError, match=r"instead of|something else"):
        load(files, lambda s: s.misbehave(fault, path="/wado"))


def test_refusal(files: list[bytes]) -> None:
    with pytest.raises(HttpStatusError) as caught:
        load(files, lambda s: s.misbehave(bad.status(403, "no"), path="/wado"))
    assert caught.value.status == 403
    assert "objectUID" not in str(caught.value)


def test_token_in_the_query_is_sent_and_not_shown(files: list[bytes]) -> None:
    async def main() -> None:
        async with BadServer(files) as server:
            uid = next(iter(server.instances))
            source = open_source(f"wadouri:{server.object_url(uid)}&token=s3cret")
            (record,) = await source.records()
            assert record.address == f"wadouri:{server.object_url(uid)}"
            assert server.count("token=s3cret") == 1
            await source.close()

    run(main)
