"""load, open and attach as a user calls them: blocking, streaming, under asyncio, from another process."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pydicom
import pytest

import volstream
from dicomfactory import case
from dicomseries import Case
from store.processes import orphans
from volstream import CancelledError, SourceError, UsageError


@pytest.fixture
def series(tmp_path: Path) -> Case:
    return case("plain", tmp_path / "series")


@pytest.mark.parametrize("form", ["path", "string", "glob", "list", "imageIds", "datasets", "bytes", "zip"])
def test_every_kind_of_local_source_gives_the_same_volume(form: str, series: Case, tmp_path: Path) -> None:
    files = list(series.files.values())
    source: object = {
        "path": series.folder,
        "string": str(series.folder),
        "glob": f"{series.folder}/*.dcm",
        "list": files,
        "imageIds": [f"dicomfile:{file}" for file in files],
        "datasets": [pydicom.dcmread(file) for file in files],
        "bytes": [file.read_bytes() for file in files],
        "zip": tmp_path / "series.zip",
    }[form]
    if form == "zip":
        import shutil

        shutil.make_archive(str(tmp_path / "series"), "zip", series.folder)
    with volstream.load(source) as volume:
        np.testing.assert_array_equal(volume.array, series.array)
        np.testing.assert_allclose(volume.affine, series.affine)


def test_a_relative_path_may_be_left_behind(series: Case, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(series.folder.parent)
    with volstream.open("series", executor="processes") as volume:
        os.chdir(tmp_path)
        volume.wait(timeout=30)
        np.testing.assert_array_equal(volume.array, series.array)


def test_open_streams(series: Case) -> None:
    with volstream.open(series.folder) as volume:
        assert volume.shape == series.array.shape
        assert volume.wait(0.25, timeout=30)
        assert volume.wait(slices=[3, 4], timeout=30)
        np.testing.assert_array_equal(volume.array[3:5], series.array[3:5])
        events = list(volume.events())
        assert sorted(event.index for event in events) == list(range(12))
        assert volume.complete
        assert volume.segment.activity in ("loading", "complete")
    with pytest.raises(UsageError):
        _ = volume.array


def test_under_asyncio_on_the_callers_loop(series: Case) -> None:
    async def main() -> set[int]:
        async with volstream.open(series.folder) as volume:
            await volume.wait_async(0.5)
            indices = {event.index async for event in volume.events()}
            with pytest.raises(UsageError, match="wait_async"):
                volume.wait(1.1e-9) if not volume.complete else volume.check_may_block()
            np.testing.assert_array_equal(volume.array, series.array)
            return indices

    assert asyncio.run(main()) == set(range(12))


def test_under_a_running_loop_the_blocking_forms_work_too(series: Case) -> None:
    async def main() -> None:  # as in a notebook
        with volstream.open(series.folder) as volume:
            assert volume.wait(timeout=30)
        volume = volstream.open(series.folder)
        assert volume.shape == series.array.shape
        volume.close()
        volume = await volstream.open(series.folder)
        await volume.wait_async()
        await volume.aclose()
        with volstream.load(series.folder) as volume:
            np.testing.assert_array_equal(volume.array, series.array)

    asyncio.run(main())


def test_attach_from_another_process(series: Case) -> None:
    program = (
        "import sys, volstream\n"
        "with volstream.attach(sys.argv[1]) as volume:\n"
        "    volume.wait(timeout=30)\n"
        "    print(volume.shape, int(volume.array.astype('int64').sum()), volume.units, volume.spacing)\n"
    )
    with volstream.load(series.folder) as volume:
        told = subprocess.check_output([sys.executable, "-c", program, volume.name], text=True)
        again = subprocess.check_output([sys.executable, "-c", program, volume.name], text=True)
        assert told == again == f"{volume.shape} {int(series.array.astype('int64').sum())} HU {volume.spacing}\n"


def test_cancel_leaves_what_is_there(series: Case) -> None:
    with volstream.open(series.folder) as volume:
        volume.cancel()
        try:
            volume.wait(timeout=30)
        except CancelledError:
            loaded = volume.states == 8
            np.testing.assert_array_equal(volume.array[loaded], series.array[loaded])
        volume.load()
        volume.wait(timeout=30)
        np.testing.assert_array_equal(volume.array, series.array)


def test_cancel_and_go_on_many_times(series: Case) -> None:
    with volstream.open(series.folder) as volume:
        for _ in range(50):
            volume.cancel()
            volume.load()
        volume.wait(timeout=30)
        np.testing.assert_array_equal(volume.array, series.array)
    with pytest.raises(UsageError):
        volume.load()


def test_progress_is_told(series: Case, capsys: pytest.CaptureFixture[str]) -> None:
    told: list[tuple[int, int]] = []
    volstream.load(series.folder, progress=lambda done, total: told.append((done, total))).close()
    assert told[-1] == (12, 12)
    assert told == sorted(told)
    volstream.load(series.folder, progress=True).close()
    captured = capsys.readouterr()
    assert "12/12" in captured.err
    assert captured.out == ""


def test_progress_is_told_in_a_notebook_too(
    series: Case, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    console = pytest.importorskip("rich.console")
    monkeypatch.setattr(console, "_is_jupyter", lambda: True)
    monkeypatch.setattr("volstream.progress.find_spec", lambda name: None)
    volstream.load(series.folder, progress=True).close()
    assert "loading 100 %  12/12 slices" in capsys.readouterr().err


def test_unknown_options_are_named(series: Case) -> None:
    with pytest.raises(UsageError, match=r"wokers.*there are.*workers"):
        volstream.load(series.folder, wokers=3)
    with pytest.raises(UsageError):
        volstream.load(series.folder, on_error="ignore")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nowhere"):
        volstream.load(tmp_path / "nowhere")


def test_a_value_beyond_the_chosen_dtype_is_loaded_wider(tmp_path: Path) -> None:
    made = case("plain", tmp_path)
    for file in made.files.values():
        dataset = pydicom.dcmread(file)
        dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 15, 1
        stored = np.frombuffer(dataset.PixelData, np.int16).copy()
        stored[0] = -32768
        dataset.PixelData = stored.tobytes()
        dataset.save_as(file)
    with volstream.load(tmp_path) as volume:
        assert volume.dtype == np.int32
        assert volume.array[0, 0, 0] == -32768 - 1024
        assert volume.range[0] == -32768 - 1024


def test_ctrl_c_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    made = case("plain", tmp_path / "series")
    program = (
        "import sys, time, volstream\n"
        "from volstream.engine import pipeline\n"
        "settle = pipeline.Pipeline._settle\n"
        "def slow(self):\n"
        "    print('busy', flush=True); time.sleep(0.2); settle(self)\n"
        "pipeline.Pipeline._settle = slow\n"
        "volstream.load(sys.argv[1], executor=sys.argv[2])\n"
    )
    for executor in ("threads", "processes"):
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(made.folder), executor],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert process.stdout.readline().startswith("busy")
        os.killpg(process.pid, signal.SIGINT)
        _, error = process.communicate(timeout=30)
        assert process.returncode in (1, 130, -signal.SIGINT)
        assert "KeyboardInterrupt" in error
        assert orphans() == set()
        _no_process_of_session(process.pid)


def _no_process_of_session(session: int) -> None:
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            os.killpg(session, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)
    pytest.fail("a process is left")


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # that is what is tried
def test_a_forked_child_reads_and_waits_but_does_not_load(series: Case) -> None:
    with volstream.open(series.folder) as volume:
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                volume.wait(timeout=20)
                refused = 0
                for control in (volume.load, volume.cancel, lambda: volume.prioritize([0])):
                    try:
                        control()
                    except UsageError:
                        refused += 1
                volume.close()
                status = 0 if refused == 3 else 2
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        volume.wait(timeout=20)
        np.testing.assert_array_equal(volume.array, series.array)
