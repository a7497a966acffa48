"""Real servers and generated series for the tests that go the whole way."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


class Orthanc:
    """A running Orthanc: `store` uploads the files of a folder and returns the series URLs, in order of upload."""

    def __init__(self, port: int) -> None:
        self._rest = f"http://127.0.0.1:{port}"
        self.url = f"{self._rest}/dicom-web"

    def store(self, folder: Path) -> list[str]:
        series: dict[str, str] = {}
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            request = urllib.request.Request(f"{self._rest}/instances", data=file.read_bytes(), method="POST")
            with urllib.request.urlopen(request) as answer:
                stored = json.load(answer)
            key = stored["ParentSeries"]
            if key not in series:
                series[key] = self._address(key, stored["ParentStudy"])
        return list(series.values())

    def _address(self, series: str, study: str) -> str:
        study_uid = self.get(f"/studies/{study}")["MainDicomTags"]["StudyInstanceUID"]
        series_uid = self.get(f"/series/{series}")["MainDicomTags"]["SeriesInstanceUID"]
        return f"{self.url}/studies/{study_uid}/series/{series_uid}"

    def get(self, path: str) -> dict:
        with urllib.request.urlopen(self._rest + path) as answer:
            return json.load(answer)


@pytest.fixture(scope="session")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    program = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")
    plugins = Path("/usr/share/orthanc/plugins")
    if program is None or not list(plugins.glob("*DicomWeb*")):
        pytest.skip("Orthanc with its DICOMweb plugin is not installed")
    folder = tmp_path_factory.mktemp("orthanc")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "orthanc.json"
    config.write_text(
        json.dumps(
            {
                "Name": "volstream-tests",
                "StorageDirectory": str(folder / "storage"),
                "IndexDirectory": str(folder / "index"),
                "HttpPort": port,
                "HttpBindAddresses": ["127.0.0.1"],
                "DicomServerEnabled": False,
                "RemoteAccessAllowed": False,
                "AuthenticationEnabled": False,
                "Plugins": [str(plugins)],
                "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
            }
        )
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, str(config)], stdout=log, stderr=log)
    try:
        server = Orthanc(port)
        _wait_until(lambda: bool(server.get("/system")), process)
        yield server
    finally:
        process.terminate()
        process.wait()


def _wait_until(answers: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            if answers():
                return
        time.sleep(0.05)
    pytest.fail("Orthanc does not answer")
