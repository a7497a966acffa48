"""Several processes that open one series with one cache: it is loaded once, whoever of them dies, fails or gives up."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import faults as bad
import volstream
from badserver import BadServer, running
from dicomfactory import case
from dicomseries import Case
from store.processes import Child, child, script

OPEN = """
import json, asyncio, volstream
given = json.loads(name)
url = given["url"]
options = {"cache_dir": given["cache"], "headers": {"X-Client": given["client"]}}
"""
#: Says how many slices are there, loads the rest, and says what came of it.
LOAD = """
with volstream.open(url, **options) as volume:
    volume.wait(given["first"], timeout=20)
    say(volume.progress.loaded)
    try:
        volume.wait(timeout=20)
        say(int(volume.array.astype("int64").sum()), volume.complete)
    except volstream.VolstreamError as error:
        say(type(error).__name__, error.message)
    hear()
"""

#: Cancels the load when it is told to, and goes on when it is told to.
GIVE_UP = """
volume = volstream.open(url, **options)
hear()
volume.cancel()
try: volume.wait(timeout=20)
except volstream.CancelledError: say("cancelled")
hear()
say(volume.load().wait(60).complete, int(volume.array.astype("int64").sum()))
hear()
"""


@pytest.fixture
def series(tmp_path: Path) -> Case:
    return case("plain", tmp_path / "series")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    gate = threading.Event()
    yield gate
    gate.set()


@pytest.fixture
def server(series: Case, gate: threading.Event) -> Iterator[BadServer]:
    """Answers four requests for frames at once, and the others when the gate is set."""
    server = BadServer([path.read_bytes() for path in series.files.values()])
    server.misbehave(bad.for_client("first", bad.held(gate, after=4)))
    with running(server):
        yield server


@pytest.fixture
def start(server: BadServer, cache: Path, series: Case) -> Any:
    """Run code in a process that opens the series."""

    def start(client: str, *code: str, source: Any = None) -> contextlib.AbstractContextManager[Child]:
        given = {
            "url": source or server.series_url,
            "cache": str(cache),
            "client": client,
            "first": 0 if client == "first" else 4 / 12,
        }
        return child(script(OPEN, *code), json.dumps(given))

    return start


def finished(series: Case) -> str:
    return f"{int(series.array.astype('int64').sum())} True"


def until(condition: Any) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def four_are_loaded(cache: Path) -> bool:
    for path in cache.glob("*.volstream"):
        with contextlib.suppress(volstream.SegmentError), volstream.attach(str(path)) as volume:
            return volume.progress.loaded == 4
    return False


def assert_kept(server: BadServer, series: Case, cache: Path) -> None:
    """Whoever opens it now finds it whole."""
    before = server.count("")
    with volstream.load(server.series_url, cache_dir=cache) as volume:
        np.testing.assert_array_equal(volume.array, series.array)
    assert server.count("") == before + 1
    assert len(list(cache.glob("*.volstream"))) == 1


def test_the_second_follows_the_first(
    server: BadServer, series: Case, cache: Path, gate: threading.Event, start: Any
) -> None:
    with start("first", LOAD) as first:
        until(lambda: four_are_loaded(cache))
        with start("second", LOAD) as second, volstream.open(server.series_url, cache_dir=cache) as third:
            assert second.hear() == "4", "what is there already, without a request of its own"
            assert third.progress.loaded == 4
            gate.set()
            assert second.hear() == finished(series)
            assert third.wait(timeout=20)
            np.testing.assert_array_equal(third.array, series.array)
            first.end()
            second.end()
            assert third.complete
    assert server.count("/frames/") == 12
    assert_kept(server, series, cache)


def test_the_second_goes_on_where_the_first_was_killed(
    server: BadServer, series: Case, cache: Path, start: Any
) -> None:
    with start("first", LOAD) as first:
        until(lambda: four_are_loaded(cache))
        with start("second", LOAD) as second:
            assert second.hear() == "4"
            first.process.kill()
            assert second.hear() == finished(series)
            second.end()
    assert server.count("/frames/") == 12 + 8
    assert_kept(server, series, cache)


@pytest.mark.parametrize("how", ["interrupted", "cancelled", "closed"])
def test_the_second_goes_on_where_the_first_gave_up(
    how: str, server: BadServer, series: Case, cache: Path, start: Any
) -> None:
    code = {
        "interrupted": """
        try: volstream.load(url, **options)
        except KeyboardInterrupt: say("interrupted")
        hear()
        """,
        "cancelled": GIVE_UP,
        "closed": """
        with volstream.open(url, **options) as volume:
            hear()
        say("closed")
        """,
    }[how]
    with start("first", code) as first:
        until(lambda: four_are_loaded(cache))
        with start("second", LOAD) as second:
            assert second.hear() == "4"
            if how == "interrupted":
                first.process.send_signal(signal.SIGINT)
            else:
                first.say()
            assert first.hear() == how
            assert second.hear() == finished(series)
            if how == "cancelled":
                first.say()
                assert first.hear() == f"True {finished(series).split()[0]}"
            second.end()
        first.end()
    assert server.count("/frames/") == 12 + 8
    assert_kept(server, series, cache)


def test_what_the_first_cannot_have_the_second_tries_itself(
    server: BadServer, series: Case, cache: Path, gate: threading.Event, start: Any
) -> None:
    server.misbehave(bad.for_client("first", bad.status(403, "not you")), path=f"{series.uids[0]}")
    with start("first", LOAD) as first:
        until(lambda: four_are_loaded(cache))
        with start("second", LOAD) as second:
            assert second.hear() == "4"
            gate.set()
            first.hear()
            assert first.hear().startswith("HttpStatusError the server answers 403")
            assert second.hear() == finished(series)
            first.end()
            second.end()
    assert_kept(server, series, cache)


def test_a_source_that_has_changed_meanwhile_is_not_mixed_in(
    server: BadServer, series: Case, cache: Path, start: Any
) -> None:
    with start("first", LOAD) as first:
        until(lambda: four_are_loaded(cache))
        with start("second", LOAD) as second:
            assert second.hear() == "4"
            metadata = next(iter(server.instances.values())).metadata
            metadata["00281052"]["Value"] = [-1000]
            first.process.kill()
            assert second.hear() == "SourceError the images have changed since another process began to load them"
            second.end()
    assert list(cache.glob("*.volstream")) == []


def test_an_entry_that_nobody_fills_any_more_is_made_anew(
    server: BadServer, series: Case, cache: Path, start: Any
) -> None:
    with start("first", LOAD) as first:
        until(lambda: four_are_loaded(cache))
        first.process.kill()
        first.process.wait()
    assert len(list(cache.glob("*.volstream"))) == 1
    with volstream.load(server.series_url, cache_dir=cache) as volume:
        np.testing.assert_array_equal(volume.array, series.array)
    assert_kept(server, series, cache)


def test_states_from_before_a_restart_of_the_machine_are_not_believed(
    server: BadServer, series: Case, cache: Path, start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start("first", GIVE_UP) as first:
        until(lambda: four_are_loaded(cache))
        first.say()
        assert first.hear() == "cancelled"
        monkeypatch.setattr("volstream.caching._boot", lambda: "another")
        before = server.count("/frames/")
        with volstream.load(server.series_url, cache_dir=cache) as volume:
            np.testing.assert_array_equal(volume.array, series.array)
            assert volume.name.startswith("/volstream-")
        assert server.count("/frames/") == before + 12


def test_a_series_that_has_grown_while_it_is_loaded_elsewhere(
    server: BadServer, series: Case, cache: Path, gate: threading.Event, start: Any
) -> None:
    """It is not followed, nor disturbed."""
    last = server.instances.pop(series.uids[-1])
    with start("first", LOAD) as first:
        until(lambda: four_are_loaded(cache))
        server.instances[last.uid] = last
        with volstream.load(server.series_url, cache_dir=cache) as volume:
            np.testing.assert_array_equal(volume.array, series.array)
            assert volume.name.startswith("/volstream-")
        gate.set()
        first.hear()
        assert first.hear().startswith(f"{int(series.array[:-1].astype('int64').sum())} True")
        first.end()
    with volstream.load(server.series_url, cache_dir=cache) as volume:
        np.testing.assert_array_equal(volume.array, series.array)
    assert_kept(server, series, cache)


def test_many_at_once_load_it_once(server: BadServer, series: Case, cache: Path, start: Any) -> None:
    code = """
    say("ready")
    hear()
    with volstream.load(url, **options) as volume:
        say(int(volume.array.astype("int64").sum()), volume.complete)
        volume.array[...] = 0
    """
    with contextlib.ExitStack() as stack:
        children = [stack.enter_context(start(f"number {n}", code)) for n in range(4)]
        for each in children:
            each.hear()
        for each in children:
            each.say()
        for each in children:
            assert each.hear() == finished(series)
            assert each.end() == 0
    assert server.count("/frames/") == 12
    assert_kept(server, series, cache)


def test_killed_at_any_moment_nothing_wrong_is_left(series: Case, cache: Path, start: Any) -> None:
    code = """
    say("ready")
    while True:
        volstream.load(url, **options).close()
        for path in __import__("pathlib").Path(given["cache"]).glob("*.volstream"): path.unlink(missing_ok=True)
    """
    chance = random.Random(5)
    with contextlib.ExitStack() as stack:
        children = [stack.enter_context(start("any", code, source=str(series.folder))) for _ in range(3)]
        for each in children:
            each.hear()
        for each in children:
            time.sleep(chance.uniform(0.01, 0.2))
            with volstream.load(series.folder, cache_dir=cache) as volume:
                np.testing.assert_array_equal(volume.array, series.array)
            each.process.kill()
            each.process.wait()
            with volstream.load(series.folder, cache_dir=cache) as volume:
                np.testing.assert_array_equal(volume.array, series.array)
    with volstream.load(series.folder, cache_dir=cache) as volume:
        np.testing.assert_array_equal(volume.array, series.array)
        assert volume.name.startswith(str(cache))
    assert len(list(cache.glob("*.volstream"))) == 1
