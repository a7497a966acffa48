"""Whether files are what they were, by everything that shows it without reading them."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fetching import make_files, run
from volstream.fetch import state
from volstream.fetch.source import open_source
from volstream.fetch.state import state_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "series"
    for index in range(3):
        (folder / str(index)).mkdir(parents=True)
        (folder / str(index) / "a.dcm").write_bytes(b"1234")
    return folder


def look(source: Any) -> Any:
    async def main() -> Any:
        opened = open_source(source)
        try:
            await opened.is_unchanged(None)
            return opened.stamp
        finally:
            await opened.close()

    return run(main)


def keeping_times(path: Path, content: bytes) -> None:
    before = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


CHANGES: dict[str, Callable[[Path], object]] = {
    "longer": lambda folder: (folder / "1/a.dcm").write_bytes(b"12345"),
    "rewritten": lambda folder: (folder / "1/a.dcm").write_bytes(b"4321"),
    "rewritten in secret": lambda folder: keeping_times(folder / "1/a.dcm", b"4321"),
    "replaced": lambda folder: shutil.copy2(folder / "2/a.dcm", folder / "b").replace(folder / "1/a.dcm"),
    "added": lambda folder: (folder / "1/b.dcm").write_bytes(b""),
    "removed": lambda folder: (folder / "1/a.dcm").unlink(),
    "renamed": lambda folder: (folder / "1/a.dcm").rename(folder / "1/b.dcm"),
    "touched": lambda folder: (folder / "1/a.dcm").touch(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_shows(folder: Path, change: str) -> None:
    before = look(folder)
    assert look(folder) == before
    CHANGES[change](folder)
    assert look(folder) != before


@pytest.mark.parametrize("name", [".hidden", "DICOMDIR", "kept.volstream"])
def test_what_is_not_read_does_not_count(folder: Path, name: str) -> None:
    before = look(folder)
    (folder / name).write_bytes(b"")
    assert look(folder) == before


def test_archives_and_single_frames_are_files(tmp_path: Path) -> None:
    make_files(tmp_path / "series")
    archive = Path(shutil.make_archive(str(tmp_path / "series"), "zip", tmp_path / "series"))
    one = next((tmp_path / "series").iterdir())
    for source, path in ((archive, archive), (f"dicomfile:{one}?frame=1", one), ([one], one)):
        before = look(source)
        assert look(source) == before
        path.touch()
        assert look(source) != before


def test_the_way_a_relative_path_leads_counts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    identities = []
    for place in (folder, folder / "1"):
        monkeypatch.chdir(place)
        identities.append(open_source(".").identity)
    assert identities[0] != identities[1]


def test_files_that_were_just_written_are_left_to_settle(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a tick of the kernel's clock two changes leave the same time."""
    file = folder / "1/a.dcm"
    now = file.stat().st_ctime_ns
    slept = []

    def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += int(seconds * 1e9)
        if len(slept) == 1:
            file.write_bytes(b"more")

    monkeypatch.setattr(state, "time", SimpleNamespace(time_ns=lambda: now, sleep=sleep))
    before = state_of(lambda: [str(file)])
    assert slept
    assert before == state_of(lambda: [str(file)]), "not the state before the second change"
    now = file.stat().st_ctime_ns + 10**10
    slept.clear()
    state_of(lambda: [str(file)])
    assert not slept


def test_files_that_never_settle_do_not_hold_it_up_for_ever(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = folder / "1/a.dcm"
    rounds = []
    now = SimpleNamespace(time_ns=lambda: file.stat().st_ctime_ns, sleep=rounds.append)
    monkeypatch.setattr(state, "time", now)
    state_of(lambda: [str(file)])
    assert len(rounds) == state.ROUNDS


def test_a_clock_that_was_set_back_is_no_reason_to_wait(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "time", SimpleNamespace(time_ns=lambda: time.time_ns() - 10**12))
    state_of(lambda: [str(folder / "1/a.dcm")])
