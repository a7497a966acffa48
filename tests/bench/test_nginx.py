"""nginx as a DICOMweb server of one series: what the figures, and clients that fetch parts, rely on."""

from __future__ import annotations

import gzip
import json
import shutil
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from volstream.bench.servers.nginx import nginx, requests_read
from volstream.samples import write_series

if not (shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")):
    pytest.skip("nginx is not installed", allow_module_level=True)


@pytest.fixture
def urls(tmp_path: Path) -> Iterator[list[str]]:
    write_series(tmp_path, slices=3, rows=48, columns=48)
    with nginx(tmp_path) as urls:
        yield urls


def get(url: str, **headers: str) -> tuple[int, Any, bytes]:
    request = urllib.request.Request(url, headers={name.replace("_", "-"): value for name, value in headers.items()})
    with urllib.request.urlopen(request) as response:
        return response.status, response.headers, response.read()


def test_metadata_is_gzipped_for_those_who_accept_it(urls: list[str]) -> None:
    _, plain, answer = get(f"{urls[0]}/metadata")
    _, packed, body = get(f"{urls[0]}/metadata", Accept_Encoding="gzip")
    assert len(json.loads(answer)) == 3
    assert (plain["Content-Encoding"], packed["Content-Encoding"]) == (None, "gzip")
    assert plain["Content-Type"] == packed["Content-Type"] == "application/dicom+json"
    assert gzip.decompress(body) == answer
    assert len(body) < len(answer) / 4


def test_parts_of_frames_by_several_connections(urls: list[str]) -> None:
    url = urls[1]
    _, whole, body = get(url)
    assert body.startswith(b"--static-")
    size, got = 500, {}

    def part(start: int) -> None:
        last = min(start + size, len(body)) - 1
        status, headers, got[start] = get(url, Range=f"bytes={start}-{last}", If_Range=whole["ETag"])
        assert (status, headers["Content-Range"]) == (206, f"bytes {start}-{last}/{len(body)}")
        assert (headers["ETag"], headers["Content-Type"]) == (whole["ETag"], whole["Content-Type"])

    threads = [threading.Thread(target=part, args=(start,)) for start in range(0, len(body), size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert b"".join(got[start] for start in sorted(got)) == body


def test_a_part_of_something_else_is_answered_with_the_whole(urls: list[str]) -> None:
    status, _, body = get(urls[1], Range="bytes=0-9", If_Range='"another"')
    assert status == 200
    assert body == get(urls[1])[2]


def test_requests_are_counted(urls: list[str]) -> None:
    before = requests_read(urls[0])
    for url in urls[1:]:
        get(url)
    assert requests_read(urls[0]) - before == len(urls[1:]) + 1
