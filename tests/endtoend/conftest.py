"""Real servers and generated series for the tests that go the whole way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from volstream.bench.servers import NotInstalledError
from volstream.bench.servers import orthanc as server
from volstream.bench.servers.orthanc import Orthanc


@pytest.fixture(scope="session")
def orthanc() -> Iterator[Orthanc]:
    try:
        with server.orthanc() as running:
            yield running
    except NotInstalledError as missing:
        pytest.skip(str(missing))
