"""Folders, files, globs, archives, imageIds of files; and images in memory."""

from __future__ import annotations

import asyncio
import os
import zipfile
from pathlib import Path
from typing import Any

import pydicom
import pytest

from fetching import collect, frames_of, make_files, run
from volstream.errors import DamagedError, NotDicomError, ResourceError, SourceError
from volstream.fetch import memory
from volstream.fetch.source import Source, open_source
from volstream.records import FileRange, FrameRecord, Payload
from volstream.syntaxes import RLE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three slices in two folders."""
    make_files(tmp_path / "scan")
    (tmp_path / "scan" / "deeper").mkdir()
    (tmp_path / "scan" / "002.dcm").rename(tmp_path / "scan" / "deeper" / "002")
    return tmp_path / "scan"


def load(spec: Any) -> tuple[list[FrameRecord], list[bytes], Source]:
    """Records, and the bytes that the payloads stand for."""

    async def main() -> tuple[list[FrameRecord], list[bytes], Source]:
        source = open_source(spec)
        records = await source.records()
        assert all(record.location is not None for record in records)  # nothing of it is asked for
        results = await collect(source, records)
        await source.close()
        return records, [content(results[record.address]) for record in records], source

    return run(main)


def content(payload: Any) -> bytes:
    assert isinstance(payload, Payload)
    if not isinstance(payload.data, FileRange):
        return bytes(payload.data)
    data = Path(payload.data.path).read_bytes()
    return b"".join(data[offset : offset + length] for offset, length in payload.data.ranges)


def expected(*paths: Path) -> list[bytes]:
    return [frame for frame, _ in frames_of([path.read_bytes() for path in paths])]


def test_folder_is_searched_in_a_fixed_order(folder: Path) -> None:
    records, data, source = load(folder)
    paths = [folder / "001.dcm", folder / "003.dcm", folder / "deeper" / "002"]
    assert data == expected(*paths)
    assert [record.address for record in records] == [f"dicomfile:{path}" for path in paths]
    assert source.skipped == []
    assert source.address == str(folder)


def test_other_files_are_left_out_and_listed(folder: Path) -> None:
    (folder / "notes.txt").write_text("not DICOM " * 100)
    (folder / "empty").write_bytes(b"")
    (folder / ".hidden").write_text("never looked at")
    (folder / ".git").mkdir()
    (folder / ".git" / "x").write_text("never looked at")
    (folder / "DICOMDIR").write_text("never looked at")
    report = pydicom.dcmread(folder / "001.dcm")
    del report.PixelData
    report.save_as(folder / "report.dcm")
    records, _, source = load(str(folder))
    assert len(records) == 3
    assert sorted(source.skipped) == [
        (str(folder / "empty"), "not a DICOM file"),
        (str(folder / "notes.txt"), "not a DICOM file"),
        (str(folder / "report.dcm"), "holds no pixel data"),
    ]


def test_links_that_lead_in_a_circle(folder: Path) -> None:
    (folder / "deeper" / "again").symlink_to(folder)
    assert len(load(folder)[0]) == 3


def test_damaged_image_among_images_is_not_left_out(folder: Path) -> None:
    path = folder / "deeper" / "002"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DamagedError) as caught:
        load(folder)
    assert caught.value.address == str(path)


@pytest.mark.parametrize("make", [lambda folder: None, lambda folder: (folder / "a.txt").write_text("text")])
def test_nothing_dicom(tmp_path: Path, make: Any) -> None:
    make(tmp_path)
    with pytest.raises(SourceError, match=r"no files|none of 1 files") as caught:
        load(tmp_path)
    assert caught.value.address == str(tmp_path)


def test_not_there(tmp_path: Path) -> None:
    for spec in (tmp_path / "missing", str(tmp_path / "missing" / "*.dcm"), [str(tmp_path / "a"), str(tmp_path / "b")]):
        with pytest.raises(SourceError):
            load(spec)
    with pytest.raises(SourceError, match="empty"):
        load([])


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable for root")
def test_unreadable(folder: Path) -> None:
    (folder / "deeper").chmod(0)
    with pytest.raises(SourceError, match="denied"):
        load(folder)


def test_single_file_must_be_an_image(folder: Path) -> None:
    assert len(load(folder / "001.dcm")[0]) == 1
    (folder / "note").write_text("text")
    with pytest.raises(NotDicomError):
        load(folder / "note")


def test_glob_and_list(folder: Path) -> None:
    assert len(load(str(folder / "*.dcm"))[0]) == 2
    assert len(load(str(folder / "**" / "00*"))[0]) == 3
    assert load([folder / "003.dcm", folder / "001.dcm"])[1] == expected(folder / "003.dcm", folder / "001.dcm")


def test_file_image_ids(tmp_path: Path) -> None:
    make_files(tmp_path, count=4, enhanced=True)
    path = tmp_path / "enhanced.dcm"
    frames = expected(path)
    assert load([f"dicomfile:{path}"])[1] == frames
    assert load(f"dicomfile:{path}")[1] == frames
    records, data, _ = load([f"dicomfile:{path}?frame={number}" for number in (4, 2)])
    assert data == [frames[1], frames[3]]
    assert [record.address for record in records] == [f"dicomfile:{path}?frame={number}" for number in (2, 4)]
    with pytest.raises(SourceError, match="no frame 5"):
        load([f"dicomfile:{path}?frame=5"])


def test_records_can_be_cancelled(folder: Path) -> None:
    async def main() -> None:
        source = open_source(folder)
        task = asyncio.create_task(source.records())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main)


# ------------------------------------------------------------------------------- archives


def archive(folder: Path, **more: bytes) -> Path:
    path = folder.parent / "scan.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                made.write(file, file.relative_to(folder))
        for name, data in more.items():
            made.writestr(name, data)
    return path


def test_zip(folder: Path) -> None:
    path = archive(folder, notes=b"text", DICOMDIR=b"x")
    records, data, source = load(path)
    assert data == expected(folder / "001.dcm", folder / "003.dcm", folder / "deeper" / "002")
    assert records[2].address == f"dicomfile:{path}/deeper/002"
    assert source.skipped == [(f"{path}/notes", "not a DICOM file")]


def test_zip_that_is_damaged(folder: Path) -> None:
    path = archive(folder)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DamagedError, match="archive"):
        load(path)
    path.write_bytes(whole[:1000] + bytes(50) + whole[1050:])
    with pytest.raises(DamagedError, match="archive"):
        load(path)


def test_zip_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "SMALL_ARCHIVE_BYTES", 1 << 20)
    (tmp_path / "x").mkdir()
    with pytest.raises(ResourceError, match="refused"):
        load(archive(tmp_path / "x", bomb=bytes(4 << 20)))


# ------------------------------------------------------------------------------- in memory


def test_bytes(files: list[bytes]) -> None:
    records, data, _ = load([files[0], bytearray(files[1]), memoryview(files[2])])
    assert data == [frame for frame, _ in frames_of(files)]
    assert len({record.address for record in records}) == 3
    assert load(files[0])[1] == data[:1]


def test_bytes_that_are_no_image(files: list[bytes]) -> None:
    with pytest.raises(NotDicomError) as caught:
        load([files[0], b"text"])
    assert caught.value.address == "memory:1"


@pytest.mark.parametrize("changes", [{}, {"syntax": RLE}, {"enhanced": True}])
def test_datasets(tmp_path: Path, changes: dict[str, Any]) -> None:
    files = make_files(tmp_path, **changes)
    datasets = [pydicom.dcmread(pydicom.filebase.DicomBytesIO(file)) for file in files]
    records, data, _ = load(datasets)
    assert [(frame, record.transfer_syntax) for frame, record in zip(data, records, strict=True)] == frames_of(files)


def test_datasets_that_are_no_images() -> None:
    dataset = pydicom.Dataset()
    dataset.Rows = 3
    with pytest.raises(SourceError, match="none of them"):
        load([dataset])
