"""The embedded server, over HTTP."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from dicomfactory import case
from volstream import syntaxes as ts
from volstream.errors import ResourceError, SourceError, UsageError
from volstream.headers.dicomjson import parse_json, records_from_json
from volstream.headers.part10 import read_records
from volstream.samples import available_syntaxes, write_series
from volstream.samples.instance import save
from volstream.server import serve
from volstream.server.negotiation import MEDIA_TYPES

SMALL: dict[str, Any] = {"slices": 3, "rows": 48, "columns": 64}
RAW = {ts.IMPLICIT, ts.EXPLICIT, ts.BIG_ENDIAN, ts.DEFLATED, ts.ENCAPSULATED_RAW}


def stored(truth: Any, k: int = 0) -> bytes:
    return bytes((truth.array[k].astype(np.int32) + 1024).astype("<u2").tobytes())


@pytest.mark.parametrize("syntax", available_syntaxes())
def test_frames_as_stored_or_little_endian(client: Any, tmp_path: Path, syntax: str) -> None:
    truth = write_series(tmp_path, transfer_syntax=syntax, **SMALL)
    with serve(tmp_path) as server:
        answer = client.frames(f"{server.series[0]}/instances/{truth.uids[0]}")
    assert answer.status == 200
    assert int(answer.headers["Content-Length"]) == len(answer.body)
    ((headers, body),) = answer.parts
    sent = ts.EXPLICIT if syntax in RAW else syntax
    assert headers["Content-Type"].endswith(f"; transfer-syntax={sent}")
    assert headers["Content-Location"].endswith(f"/instances/{truth.uids[0]}/frames/1")
    assert int(headers["Content-Length"]) == len(body)
    if syntax in RAW:
        assert body == stored(truth)
    else:
        image = pydicom.dcmread(truth.files[0])
        (codestream,) = pydicom.encaps.generate_frames(image.PixelData, number_of_frames=1)
        assert body == codestream


def test_metadata_that_are_known_are_not_sent_again(client: Any, tmp_path: Path) -> None:
    write_series(tmp_path, **SMALL)
    with serve(tmp_path) as server:
        url = f"{server.series[0]}/metadata"
        tag = client.get(url).headers["ETag"]
        again = client.get(url, **{"If-None-Match": f'"other", W/{tag}'})
        assert (again.status, again.headers["ETag"], again.body) == (304, tag, b"")
        assert client.get(url, **{"If-None-Match": '"other"'}).status == 200


@pytest.mark.parametrize("name", ["plain", "pet", "tilt", "enhanced", "enhanced_rle", "time_points", "no_position"])
def test_metadata_tell_the_same_as_the_files(client: Any, tmp_path: Path, name: str) -> None:
    """Records made of the JSON are those made of the files, but for addresses."""
    made = case(name, tmp_path)
    with serve(tmp_path) as server:
        (url,) = server.series
        answer = client.get(f"{url}/metadata", "application/dicom+json")
        one = client.get(f"{url}/instances/{made.uids[0]}/metadata")
        study = client.get(f"{url.partition('/series/')[0]}/metadata")
    assert answer.headers["Content-Type"] == "application/dicom+json"
    instances = json.loads(answer.body)
    assert json.loads(one.body) == [each for each in instances if each["00080018"]["Value"] == [made.uids[0]]]
    assert json.loads(study.body) == instances

    def described(records: list[Any]) -> list[Any]:
        facts = [(r.uid, r.frame, r.pixel, r.position, r.orientation, r.spacing, r.rescale, r.labels) for r in records]
        return sorted(facts, key=lambda each: each[:2])

    files = [record for path in made.files.values() for record in read_records(path)]
    by_json = records_from_json(parse_json(answer.body), url)
    assert described(by_json) == described(files)
    assert {record.transfer_syntax for record in by_json} == {record.transfer_syntax for record in files}
    assert by_json[0].series == next(record.series for record in files if record.uid == by_json[0].uid)


def test_frame_lists(client: Any, tmp_path: Path) -> None:
    made = case("enhanced_rle", tmp_path)
    frames = list(
        pydicom.encaps.generate_frames(pydicom.dcmread(made.files[made.uids[0]]).PixelData, number_of_frames=12)
    )
    with serve(tmp_path) as server:
        instance = f"{server.series[0]}/instances/{made.uids[0]}"
        some = client.frames(instance, "3,1,12")
        every = client.get(f"{instance}/pixeldata", 'multipart/related; type="image/dicom-rle"')
        refused = {
            text: client.frames(instance, text).status for text in ("0", "13", "1,,2", "1,", "99999999999", "-1")
        }
        too_many = client.frames(instance, ",".join(["1"] * 13)).status
    assert [body for _, body in some.parts] == [frames[2], frames[0], frames[11]]
    assert some.parts[2][0]["Content-Location"].endswith("/frames/12")
    assert [body for _, body in every.parts] == frames
    assert refused == {"0": 404, "13": 404, "1,,2": 400, "1,": 400, "99999999999": 400, "-1": 404}
    assert too_many == 400


def test_whole_instances(client: Any, tmp_path: Path) -> None:
    truth = write_series(tmp_path, transfer_syntax=ts.RLE, **SMALL)
    content = truth.files[1].read_bytes()
    with serve(tmp_path) as server:
        url = f"{server.series[0]}/instances/{truth.uids[1]}"
        wrapped = client.get(url, 'multipart/related; type="application/dicom"; transfer-syntax=*')
        bare = client.get(url, "application/dicom")
        other = client.get(url, f"application/dicom; transfer-syntax={ts.JPEG_LS}")
        unasked = client.get(url)
    ((headers, body),) = wrapped.parts
    assert headers["Content-Type"] == f"application/dicom; transfer-syntax={ts.RLE}"
    assert body == bare.body == unasked.parts[0][1] == content
    assert other.status == 406


def test_content_negotiation(client: Any, tmp_path: Path) -> None:
    raw = write_series(tmp_path / "raw", **SMALL)
    rle = write_series(tmp_path / "rle", transfer_syntax=ts.RLE, **SMALL)

    def asked(url: str, accept: str | None) -> tuple[int, str]:
        answer = client.get(f"{url}/frames/1", accept)
        return answer.status, answer.headers["Content-Type"].partition("; boundary")[0]

    octets, images = 'multipart/related; type="application/octet-stream"', 'multipart/related; type="image/dicom-rle"'
    with serve(tmp_path) as server:
        raw_url, rle_url = (
            f"{url}/instances/{truth.uids[0]}" for url, truth in zip(server.series, (raw, rle), strict=True)
        )
        assert asked(raw_url, None) == asked(raw_url, "*/*") == asked(raw_url, octets) == (200, octets)
        assert asked(raw_url, "application/octet-stream") == (
            200,
            f"application/octet-stream; transfer-syntax={ts.EXPLICIT}",
        )
        assert asked(rle_url, None) == asked(rle_url, images) == (200, images)
        assert asked(rle_url, f"{octets}; transfer-syntax=*") == (200, octets)
        assert asked(rle_url, f"image/jls;q=0.9, {octets}; transfer-syntax={ts.RLE};q=0.5") == (200, octets)
        # Octets are uncompressed unless said otherwise, and nothing is converted here.
        assert asked(rle_url, octets)[0] == 406
        assert asked(raw_url, "image/jpeg")[0] == asked(raw_url, f"{octets}; q=0")[0] == 406
        refusal = client.get(f"{rle_url}/frames/1", "text/html, ,;=")
        assert refusal.status == 406
        assert ts.RLE in refusal.body.decode()


def test_every_compressed_syntax_has_a_media_type() -> None:
    encapsulated = {uid for uid, syntax in ts.SYNTAXES.items() if syntax.encapsulated}
    assert set(MEDIA_TYPES) == encapsulated - {ts.ENCAPSULATED_RAW}


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/studies/..%2f..%2fetc/metadata",
        "/studies/1.2/series/3.4/metadata",
        f"/studies/{'1' * 65}/metadata",
        "/studies/1%00/metadata",
        "/studies/١.٢/metadata".encode().decode("latin-1").replace("/studies/", "/studies/%d9%a1"),
        "/",
    ],
)
def test_what_is_not_there_is_not_found(client: Any, tmp_path: Path, path: str) -> None:
    case("plain", tmp_path)
    with serve(tmp_path) as server:
        url = server.url + path.encode("ascii", "ignore").decode()
        assert client.get(url).status == 404


def test_hosts_and_methods(client: Any, tmp_path: Path) -> None:
    case("plain", tmp_path)
    with serve(tmp_path) as server:
        url = f"{server.series[0]}/metadata"
        assert client.get(url, Host="evil.example").status == 421
        assert client.get(url, Host="localhost:1").status == 200
        assert {client.get(url, method=method).status for method in ("POST", "DELETE", "TRACE")} == {405}
        headers = client.get(url).headers
        assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", "no-store")


def one_file(folder: Path, pixels: bytes, frames: int, syntax: str = ts.EXPLICIT, **changes: Any) -> Dataset:
    """An instance with pixel data of any make."""
    made = case("plain", folder)
    image = pydicom.dcmread(made.files[made.uids[0]])
    for path in made.files.values():
        path.unlink()
    image.NumberOfFrames = frames
    for keyword, value in changes.items():
        setattr(image, keyword, value)
    save(folder / "one.dcm", image, [pixels], syntax)
    return image


def test_frames_of_single_bits_begin_at_a_byte(client: Any, tmp_path: Path) -> None:
    bits: NDArray[np.uint8] = np.random.default_rng(0).integers(0, 2, (3, 5, 7)).astype(np.uint8)
    pixels = np.packbits(bits, bitorder="little").tobytes()
    image = one_file(
        tmp_path, pixels, 3, Rows=5, Columns=7, BitsAllocated=1, BitsStored=1, HighBit=0, PixelRepresentation=0
    )
    with serve(tmp_path) as server:
        answer = client.frames(f"{server.series[0]}/instances/{image.SOPInstanceUID}", "1,2,3")
    for number, (_, body) in enumerate(answer.parts):
        found = np.unpackbits(np.frombuffer(body, np.uint8), bitorder="little")[:35]
        np.testing.assert_array_equal(found.reshape(5, 7), bits[number])


@pytest.mark.parametrize("bits", [8, 32])
def test_big_endian_words_are_turned(client: Any, tmp_path: Path, bits: int) -> None:
    values: NDArray[Any] = np.arange(24).reshape(4, 6).astype(f"<u{bits // 8}")
    width = 2 if bits == 8 else 4
    swapped = np.frombuffer(values.tobytes(), f"<u{width}").astype(f">u{width}").tobytes()
    image = one_file(
        tmp_path,
        b"",
        1,
        Rows=4,
        Columns=6,
        BitsAllocated=bits,
        BitsStored=bits,
        HighBit=bits - 1,
        PixelRepresentation=0,
    )
    image.PixelData = swapped
    image["PixelData"].VR = "OW"
    image.file_meta.TransferSyntaxUID = ts.BIG_ENDIAN
    pydicom.dcmwrite(tmp_path / "one.dcm", image, force_encoding=True, implicit_vr=False, little_endian=False)
    with serve(tmp_path) as server:
        answer = client.frames(f"{server.series[0]}/instances/{image.SOPInstanceUID}")
    assert answer.parts[0][1] == values.tobytes()


@pytest.mark.parametrize("bits", [1, 8])
def test_big_endian_frames_that_share_a_word(client: Any, tmp_path: Path, bits: int) -> None:
    values: NDArray[np.uint8] = np.random.default_rng(1).integers(0, 1 << bits, (4, 3, 7)).astype(np.uint8)
    pixels = np.packbits(values, bitorder="little").tobytes() if bits == 1 else values.tobytes()
    pixels = np.frombuffer(pixels + bytes(len(pixels) % 2), "<u2").byteswap().tobytes()
    layout = {"Rows": 3, "Columns": 7, "BitsAllocated": bits, "BitsStored": bits, "HighBit": bits - 1}
    image = one_file(tmp_path, b"", 4, **layout, PixelRepresentation=0)
    image.PixelData = pixels
    image["PixelData"].VR = "OW"
    image.file_meta.TransferSyntaxUID = ts.BIG_ENDIAN
    pydicom.dcmwrite(tmp_path / "one.dcm", image, force_encoding=True, implicit_vr=False, little_endian=False)
    with serve(tmp_path) as server:
        answer = client.frames(f"{server.series[0]}/instances/{image.SOPInstanceUID}", "1,2,3,4")
    for (_, body), frame in zip(answer.parts, values, strict=True):
        assert body == (np.packbits(frame, bitorder="little") if bits == 1 else frame).tobytes()


def test_files_that_change_behind_its_back_are_an_error_not_pixels(client: Any, tmp_path: Path) -> None:
    made = case("plain", tmp_path)
    with serve(tmp_path) as server:
        cut, gone = (f"{server.series[0]}/instances/{uid}" for uid in made.uids[:2])
        path = made.files[made.uids[0]]
        path.write_bytes(path.read_bytes()[:-100])
        made.files[made.uids[1]].unlink()
        assert client.frames(cut).status == client.frames(gone).status == 500
        assert str(tmp_path) not in client.frames(cut).body.decode()


def test_folders_with_other_files_and_damaged_ones(client: Any, tmp_path: Path) -> None:
    case("not_dicom", tmp_path / "a")
    with serve(tmp_path) as server:
        assert len(json.loads(client.get(f"{server.series[0]}/metadata").body)) == 12
    (tmp_path / "none").mkdir()
    with pytest.raises(SourceError, match="no DICOM images"):
        serve(tmp_path / "none")


def test_lifetime(client: Any, tmp_path: Path) -> None:
    case("plain", tmp_path)
    before = threading.active_count()
    server = serve(tmp_path)
    try:
        port = int(server.url.rpartition(":")[2])
        with pytest.raises(ResourceError, match="cannot serve"):
            serve(tmp_path, port=port)
        with pytest.raises(UsageError, match="loopback"):
            serve(tmp_path, host="0.0.0.0")
    finally:
        server.close()
    server.close()
    assert threading.active_count() == before
    with pytest.raises(OSError, match="refused"):
        client.get(server.url)
