"""WADO-RS against a server that behaves, and against every quirk that real ones have."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import faults as bad
from badserver import BadServer, Instance, Part, Reply, Request
from fetching import collect, fetch, frames_of, got, make_files, run
from volstream.errors import SourceError, UsageError
from volstream.fetch.options import FetchOptions
from volstream.fetch.source import open_source
from volstream.syntaxes import EXPLICIT, HTJ2K_LOSSLESS, JPEG_LS, RLE


def test_plain_series(files: list[bytes]) -> None:
    results, server = fetch(files)
    assert got(results) == frames_of(files)
    assert server.count("/metadata") == 1
    assert server.count("/frames/") == len(files)


def test_standard_accept_is_tried_first_and_nothing_compressed_is_asked_for(files: list[bytes]) -> None:
    _, server = fetch(files)
    requests = [request for request in server.requests if "/frames/" in request.target]
    assert {r.accept for r in requests} == {'multipart/related; type="application/octet-stream"; transfer-syntax=*'}
    assert {r.headers["accept-encoding"] for r in requests} == {"identity"}


@pytest.mark.parametrize("syntax", [RLE, JPEG_LS, HTJ2K_LOSSLESS])
def test_stored_encoding_is_delivered_as_it_is(tmp_path: Path, syntax: str) -> None:
    files = make_files(tmp_path, syntax=syntax)
    assert got(fetch(files)[0]) == frames_of(files)


QUIRKS: dict[str, Callable[[BadServer], None]] = {
    "boundary quoted": lambda s: s.misbehave(bad.changed(boundary_field='boundary="a-boundary"')),
    "boundary single-quoted": lambda s: s.misbehave(bad.changed(boundary_field="boundary='a-boundary'")),
    "boundary missing": lambda s: s.misbehave(bad.changed(boundary_field="")),
    "boundary followed by blanks": lambda s: s.misbehave(bad.changed(padding=b" \t")),
    "preamble and epilogue": lambda s: s.misbehave(bad.changed(preamble=b"Hello\r\n\r\n", epilogue=b"Bye\r\n")),
    "bare line feeds": lambda s: s.misbehave(bad.changed(newline=b"\n")),
    "part headers missing": lambda s: s.misbehave(bad.part_headers()),
    "part length stated": lambda s: s.misbehave(bad.part_length(0)),
    "single part": lambda s: s.misbehave(bad.single()),
    "single part without a type": lambda s: s.misbehave(bad.single("")),
    "single part ending with the connection": lambda s: s.misbehave(
        bad.both(bad.single(), bad.changed(framing="close"))
    ),
    "multipart ending with the connection": lambda s: s.misbehave(bad.changed(framing="close")),
    "chunked": lambda s: s.misbehave(bad.changed(framing="chunked", chunk=100)),
    "gzip although not asked for": lambda s: s.misbehave(bad.gzipped),
    "type must be quoted": lambda s: s.misbehave(bad.unless_accept('type="application/octet-stream"')),
    "type must not be quoted, says 400": lambda s: s.misbehave(bad.unless_accept("type=application/octet-stream", 400)),
    "no transfer syntax in Accept": lambda s: s.misbehave(bad.unless_accept("^(?!.*transfer-syntax)")),
    "500 for any transfer syntax": lambda s: s.misbehave(bad.unless_accept("^(?!.*transfer-syntax)", 500)),
    "image types only": lambda s: s.misbehave(bad.unless_accept("image/jls")),
    "anything goes only": lambda s: s.misbehave(bad.unless_accept(r"^\*/\*")),
    "no frames at all": lambda s: s.misbehave(bad.status(400, "instances only")),
    "no frames, 406": lambda s: s.misbehave(bad.status(406)),
    "206 without a range": lambda s: s.misbehave(bad.changed(status=206)),
    "no series metadata": lambda s: s.misbehave(bad.status(404), path="series/[^/]*/metadata"),
    "metadata too large": lambda s: s.misbehave(bad.status(413), path="series/[^/]*/metadata"),
    "metadata as plain JSON only": lambda s: s.misbehave(bad.unless_accept("^application/json"), path="/metadata"),
    "metadata compressed": lambda s: s.misbehave(bad.gzipped, path="/metadata"),
    "metadata ending with the connection": lambda s: s.misbehave(bad.changed(framing="close"), path="/metadata"),
}  # fmt: skip


@pytest.mark.parametrize("quirk", QUIRKS)
def test_quirk(quirk: str, files: list[bytes]) -> None:
    results, _ = fetch(files, QUIRKS[quirk])
    assert got(results) == frames_of(files)


def test_what_works_is_asked_from_then_on(tmp_path: Path) -> None:
    files = make_files(tmp_path, count=12)
    results, server = fetch(files, lambda s: s.misbehave(bad.unless_accept(r"^\*/\*", 400)))
    assert got(results) == frames_of(files)
    refused = [r for r in server.requests if "/frames/" in r.target and r.accept != "*/*"]
    assert len(refused) == len({r.accept for r in refused}) == len({r.target for r in refused}) * 5


def test_an_instance_is_fetched_once_for_all_its_frames(tmp_path: Path) -> None:
    files = make_files(tmp_path, count=6, enhanced=True)
    results, server = fetch(files, lambda s: s.misbehave(bad.status(406)), connections=3)
    assert got(results) == frames_of(files)
    assert server.count("/instances/[0-9.]+$") == 1


# ------------------------------------------------------------------------------- labels


def test_orthanc_labels(tmp_path: Path) -> None:
    files = make_files(tmp_path, syntax=JPEG_LS)
    results, _ = fetch(files, lambda s: s.misbehave(bad.orthanc_labels("image/jls", JPEG_LS)))
    assert got(results) == frames_of(files)


@pytest.mark.parametrize("label", ["application/octet-stream", "image/jphc", "image/jp2; transfer-syntax=*"])
def test_label_without_a_transfer_syntax(tmp_path: Path, label: str) -> None:
    files = make_files(tmp_path, syntax=HTJ2K_LOSSLESS)
    results, _ = fetch(files, lambda s: s.misbehave(bad.part_headers(content_type=label)))
    assert got(results) == frames_of(files)


def test_codestream_labelled_as_explicit_little_endian(tmp_path: Path) -> None:
    files = make_files(tmp_path, syntax=HTJ2K_LOSSLESS)
    lie = bad.part_headers(content_type=f"application/octet-stream; transfer-syntax={EXPLICIT}")
    assert got(fetch(files, lambda s: s.misbehave(lie))[0]) == frames_of(files)


def test_decoded_by_the_server_and_labelled_as_stored(tmp_path: Path, files: list[bytes]) -> None:
    compressed = make_files(tmp_path / "jls", syntax=JPEG_LS)
    plain = iter([frame for frame, _ in frames_of(files)] * 2)

    def decode(request: Request, reply: Reply) -> None:
        uid = re.search(r"/instances/([0-9.]+)/", request.target)
        assert uid
        assert reply.parts
        reply.parts[0].body = by_uid[uid[1]]

    by_uid = {Instance.of(file).uid: next(plain) for file in compressed}
    results, _ = fetch(compressed, lambda s: s.misbehave(decode))
    assert got(results) == frames_of(files)


def test_single_part_with_the_codec_as_its_type(tmp_path: Path) -> None:
    files = make_files(tmp_path, syntax=JPEG_LS)
    assert got(fetch(files, lambda s: s.misbehave(bad.single("image/jls")))[0]) == frames_of(files)


def test_lossless_codestream_without_any_label(tmp_path: Path) -> None:
    files = make_files(tmp_path, syntax=HTJ2K_LOSSLESS)

    def no_label(request: Request, reply: Reply) -> None:
        metadata = json.loads(reply.body)
        for instance in metadata:
            del instance["00083002"]
        reply.body = json.dumps(metadata).encode()

    def misbehave(server: BadServer) -> None:
        server.misbehave(no_label, path="/metadata")
        server.misbehave(bad.part_headers(content_type=f"application/octet-stream; transfer-syntax={EXPLICIT}"))

    assert got(fetch(files, misbehave)[0]) == frames_of(files)


# ------------------------------------------------------------------------------- several frames in one request


def test_frames_of_one_instance_are_asked_for_together(tmp_path: Path) -> None:
    files = make_files(tmp_path, count=12, enhanced=True)
    results, server = fetch(files, connections=1)
    assert got(results) == frames_of(files)
    assert server.count("/frames/1$") == 1  # the first finds out how to ask
    assert server.count("/frames/2,3,4,5,6,7,8,9,10,11,12$") == 1
    assert server.count("/frames/") == 2


def _drop_last(parts: list[Part]) -> list[Part]:
    return parts[:-1] or parts


BATCH_FAULTS: dict[str, bad.Fault] = {
    "lists refused": lambda request, reply: bad.status(400)(request, reply) if "," in request.target else None,
    "one frame missing": bad.edit_parts(_drop_last),
    "only the first": bad.edit_parts(lambda parts: parts[:1]),
    "one frame twice": bad.edit_parts(lambda parts: parts[:-1] + parts[:1] if len(parts) > 1 else parts),
    "unnamed and one missing": bad.both(bad.part_headers(), bad.edit_parts(_drop_last)),
    "unnamed": bad.part_headers(),
    "reordered": bad.edit_parts(lambda parts: parts[::-1]),
}  # fmt: skip


@pytest.mark.parametrize("fault", BATCH_FAULTS)
def test_fault_in_several_frames(fault: str, tmp_path: Path) -> None:
    files = make_files(tmp_path, count=12, enhanced=True)
    results, _ = fetch(files, lambda s: s.misbehave(BATCH_FAULTS[fault]), connections=2, attempts=2)
    assert got(results) == frames_of(files)


# ------------------------------------------------------------------------------- streaming


def test_cancelling_aborts_what_is_under_way(tmp_path: Path) -> None:
    files = make_files(tmp_path, count=8)

    async def main() -> None:
        async with BadServer(files) as server:
            source = open_source(server.series_url, FetchOptions(connections=4))
            records = await source.records()
            asked = asyncio.Event()
            server.misbehave(bad.changed(delay=3600), path=f"{records[5].uid}/frames")
            server.misbehave(lambda request, reply: asked.set(), path=f"{records[5].uid}/frames")
            task = asyncio.create_task(collect(source, records))
            await asked.wait()
            task.cancel()
            async with asyncio.timeout(5):
                await asyncio.gather(task, return_exceptions=True)
            await source.close()

    run(main)


# ------------------------------------------------------------------------------- imageIds


def test_image_ids(tmp_path: Path) -> None:
    files = make_files(tmp_path, count=5)

    async def main() -> None:
        async with BadServer(files) as server:
            ids = [f"wadors:{server.frame_url(uid)}" for uid in list(server.instances)[1:4]]
            source = open_source(ids)
            results = await collect(source)
            assert sorted(results) == sorted(ids)
            await source.close()
            unknown = open_source([*ids, f"wadors:{server.series_url}/instances/1.2.3/frames/1"])
            with pytest.raises(SourceError, match="1 of the imageIds"):
                await unknown.records()
            await unknown.close()

    run(main)


@pytest.mark.parametrize(
    "spec",
    [
        "https://host/dicom-web/studies/1.2",
        ["wadors:https://host/dicom-web/studies/1/series/2/instances/3"],
        ["wadors:https://host/series/2/instances/3/frames/0"],
        ["wadors:https://a/series/2/instances/3/frames/1", "wadors:https://b/series/2/instances/3/frames/1"],
        ["wadouri:https://host/wado?requestType=WADO"],
        ["wadors:https://host/series/2/instances/3/frames/1", "file.dcm"],
        "gopher://host/series/1",
        3,
        [b"", "file.dcm"],
    ],
)
def test_wrong_source(spec: object) -> None:
    with pytest.raises(UsageError):
        open_source(spec)
