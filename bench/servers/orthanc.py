"""Orthanc on loopback, empty, for as long as a block lasts."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..loaders.child import program
from . import NotInstalledError

PLUGINS = Path("/usr/share/orthanc/plugins")


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

    def get(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(self._rest + path) as answer:
            return dict(json.load(answer))


@contextlib.contextmanager
def orthanc() -> Iterator[Orthanc]:
    """Raises NotInstalledError where it, or its DICOMweb plugin, is not installed."""
    executable = program("Orthanc")
    if executable is None or not list(PLUGINS.glob("*DicomWeb*")):
        raise NotInstalledError("Orthanc with its DICOMweb plugin is not installed")
    with tempfile.TemporaryDirectory() as temporary, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        folder = Path(temporary)
        config = folder / "orthanc.json"
        config.write_text(json.dumps(_configuration(folder, port)))
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen([executable, str(config)], stdout=log, stderr=log)
        try:
            server = Orthanc(port)
            _wait_for(server, process)
            yield server
        finally:
            process.terminate()
            process.wait()


def _configuration(folder: Path, port: int) -> dict[str, Any]:
    return {
        "Name": "volstream",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "index"),
        "HttpPort": port,
        "HttpBindAddresses": ["127.0.0.1"],
        "DicomServerEnabled": False,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "Plugins": [str(PLUGINS)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }


def _wait_for(server: Orthanc, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            if server.get("/system"):
                return
        time.sleep(0.05)
    raise TimeoutError("Orthanc does not answer")
