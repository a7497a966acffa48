from __future__ import annotations

import pytest

from volstream.store import lease

from . import processes


@pytest.fixture(autouse=True)
def _record_names(monkeypatch):
    """So that a test sees its own segments, and not those of whoever else uses the machine."""
    new_path = lease.new_path

    def recorded():
        path = new_path()
        processes.MADE.append(path)
        return path

    processes.MADE.clear()
    monkeypatch.setattr(lease, "new_path", recorded)
