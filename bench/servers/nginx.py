"""A folder of DICOM files of one series as static DICOMweb answers, served by nginx on loopback.

Metadata goes out gzipped to clients that accept it, as servers do it; compressed beforehand, since the server's work is
not what is measured. Frames are files: nginx answers Range and If-Range, about the whole multipart body.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import secrets
import socket
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
from pydicom.encaps import generate_frames

from ..loaders.child import program
from . import NotInstalledError

_CONFIG = """\
daemon off;
worker_processes 2;
pid {run}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000;
    open_file_cache max=20000 inactive=300s;
    client_body_temp_path {run}/body; proxy_temp_path {run}/proxy; fastcgi_temp_path {run}/fcgi;
    uwsgi_temp_path {run}/uwsgi; scgi_temp_path {run}/scgi;
    types {{ }}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        root {root};
        location = /status {{ stub_status; }}
        location ~ /metadata$ {{ default_type application/dicom+json; gzip_static on; gzip_vary on; }}
        location ~ (/series|/instances)/[^/]+$ {{
            try_files $uri/whole =404;
            default_type 'multipart/related; type="application/dicom"; boundary={boundary}';
        }}
        location ~ /frames/ {{
            default_type 'multipart/related; type="application/octet-stream"; boundary={boundary}';
        }}
    }}
}}
"""


def write_tree(series: Path, root: Path, boundary: str) -> list[str]:
    """Write metadata, frames, instances and the whole series below `root`; the paths: the series, then frames."""
    metadata, paths, files = [], [], sorted(series.iterdir())
    end = f"--{boundary}--\r\n".encode()
    for file in files:
        dataset = pydicom.dcmread(file)
        syntax = dataset.file_meta.TransferSyntaxUID
        base = f"studies/{dataset.StudyInstanceUID}/series/{dataset.SeriesInstanceUID}"
        instance = f"{base}/instances/{dataset.SOPInstanceUID}"
        (root / instance / "frames").mkdir(parents=True)
        for number, frame in enumerate(_frames(dataset), 1):
            part = _part(boundary, f"application/octet-stream; transfer-syntax={syntax}", frame)
            (root / instance / "frames" / str(number)).write_bytes(part + end)
            paths.append(f"{instance}/frames/{number}")
        part = _part(boundary, f"application/dicom; transfer-syntax={syntax}", file.read_bytes())
        (root / instance / "whole").write_bytes(part + end)
        with (root / base / "whole").open("ab") as whole:
            whole.write(part + (end if file == files[-1] else b""))
        del dataset.PixelData
        entry = dataset.to_json_dict()
        entry["00083002"] = {"vr": "UI", "Value": [str(syntax)]}
        metadata.append(entry)
    answer = json.dumps(metadata, separators=(",", ":")).encode()
    (root / base / "metadata").write_bytes(answer)
    (root / base / "metadata.gz").write_bytes(gzip.compress(answer))
    return [base, *paths]


def _part(boundary: str, media_type: str, body: bytes) -> bytes:
    return f"--{boundary}\r\nContent-Type: {media_type}\r\n\r\n".encode() + body + b"\r\n"


def _frames(dataset: Any) -> Iterator[bytes]:
    count = int(dataset.get("NumberOfFrames", 1))
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        yield from generate_frames(dataset.PixelData, number_of_frames=count)
    else:
        size = dataset.Rows * dataset.Columns * dataset.SamplesPerPixel * dataset.BitsAllocated // 8
        yield from (dataset.PixelData[n * size : (n + 1) * size] for n in range(count))


@contextlib.contextmanager
def nginx(series: Path) -> Iterator[list[str]]:
    """Serve a series; yields its URL and those of its frames. Raises NotInstalledError without nginx."""
    if (nginx := program("nginx")) is None:
        raise NotInstalledError("nginx is not installed")
    boundary = f"static-{secrets.token_hex(16)}"
    with tempfile.TemporaryDirectory() as temporary:
        root, run = Path(temporary) / "html", Path(temporary) / "run"
        run.mkdir()
        Path(temporary).chmod(0o755)
        paths = write_tree(series, root, boundary)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        config = run / "nginx.conf"
        # As root, nginx would give its workers to a user who cannot read the temporary folder.
        user = "user root;\n" if Path("/proc/self").stat().st_uid == 0 else ""
        config.write_text(user + _CONFIG.format(run=run, root=root, port=port, boundary=boundary))
        process = subprocess.Popen([nginx, "-p", str(run), "-c", str(config)], stderr=subprocess.DEVNULL)
        try:
            urls = [f"http://127.0.0.1:{port}/{path}" for path in paths]
            _wait_for(urls[1])
            yield urls
        finally:
            process.terminate()
            process.wait()


def requests_read(url: str) -> int:
    """How many requests the nginx at this URL has read so far, this one included."""
    with urllib.request.urlopen(urllib.parse.urljoin(url, "/status")) as response:
        return int(response.read().split()[9])


def _wait_for(url: str) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), urllib.request.urlopen(url):
            return
        time.sleep(0.02)
    raise TimeoutError("nginx does not answer")
