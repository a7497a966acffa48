"""Whoever dies, and however: the owner's name goes once, nothing leaks, nobody waits for ever."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from volstream.errors import SegmentError
from volstream.store import lease as leases
from volstream.store.lease import Lease
from volstream.store.reaper import reap
from volstream.store.segment import Segment
from volstream.store.states import FULL

from .processes import SHM, child, exists, names, orphans, script

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /dev/shm and /proc")

OWNER = """
segment = Segment.create((4, 64, 64), "int16", {"units": "HU"}, slices=4)
segment.array[...] = 3
segment.publish(0, 8, 3, 3)
say(segment.name)
"""


@pytest.fixture
def segment():
    with Segment.create((4, 64, 64), "int16", {"units": "HU"}, slices=4) as segment:
        yield segment


@pytest.mark.parametrize(
    "end", ["hear(); segment.close()", "hear(); del segment", "hear()", "hear(); sys.exit(3)", "hear(); 1 / 0"]
)
def test_an_owner_that_ends_removes_its_segment(end):
    with child(script(OWNER, "sys.stderr.close()", end)) as owner:
        name = owner.hear()
        with Segment.attach(name) as other:
            assert other.owner_alive
            owner.end()
            assert not exists(name)
            assert not other.owner_alive
            assert other.array.min() == 3


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_killed_owner_leaves_is_removed_at_the_next_create(number):
    with child(script(OWNER, "hear()")) as owner:
        name = owner.hear()
        other = Segment.attach(name)
        owner.process.send_signal(number)
        owner.process.wait()
        assert not other.owner_alive
        assert exists(name)
        with Segment.create((2, 2, 2), "int8", {}, slices=2) as mine:
            assert not exists(name)
            assert exists(mine.name)
        assert other.array.min() == 3, "a mapping outlives the name"
        other.close()


def test_a_whole_group_killed_leaves_nothing():
    code = script(
        OWNER,
        """
    if os.fork() == 0:
        time.sleep(60)
    hear()
    """,
    )
    with child(code, new_group=True) as owner:
        name = owner.hear()
        os.killpg(owner.process.pid, signal.SIGKILL)
        owner.process.wait()
        assert exists(name)
        deadline = time.monotonic() + 10
        while exists(name) and time.monotonic() < deadline:  # the group's other process may die a moment later
            reap()
        assert not exists(name)


def test_many_owners_killed_at_any_moment():
    code = """
    import itertools
    for i in itertools.count():
        with Segment.create((4, 64, 64), "int16", {}, slices=4) as segment:
            if i == 0: say("go")
    """
    for delay in np.linspace(0, 0.02, 8):
        with child(code) as owner:
            owner.hear()
            time.sleep(delay)
            owner.process.kill()
            owner.process.wait()
    reap()
    assert orphans() == set()


def test_attachers_notice_the_owners_death_while_they_wait():
    with child(script(OWNER, "hear()")) as owner:
        name = owner.hear()
        code = """
        volume = Volume(Segment.attach(name), None)
        say(volume.segment.owner_alive)
        try: volume.wait(timeout=30)
        except Exception as error: say(type(error).__name__)
        say(len(list(volume.events())))
        """
        with child(code, name) as other:
            assert other.hear() == "True"
            owner.process.kill()
            assert other.hear() == "SegmentError", "it did not sit out its time"
            assert other.hear() == "1", "events end as well, after what was there"
    reap()


@pytest.mark.parametrize("end", ["", "os.kill(os.getpid(), 9)", "os._exit(1)", "segment.close()", "sys.exit(1)"])
def test_attachers_that_end_leave_the_segment_alone(segment, end):
    code = f"""
    segment = Segment.attach(name, writable=True)
    segment.publish(1, 8)
    say(segment.array.shape)
    {end}
    """
    with child(code, segment.name) as other:
        other.hear()
        other.end()
        assert segment.name in names()
        assert segment.owner_alive
        assert segment.state(1) == FULL
        with Segment.attach(segment.name):
            pass


def test_the_resource_tracker_has_no_part_in_it(segment):
    code = """
    segment = Segment.attach(name)
    own = Segment.create((2, 2, 2), "int8", {}, slices=2)
    from multiprocessing import resource_tracker
    say(resource_tracker._resource_tracker._pid, "multiprocessing.shared_memory" in sys.modules)
    """
    with child(code, segment.name) as other:
        assert other.hear() == "None False"
        assert other.end() == 0


@pytest.mark.parametrize(
    "end", ["sys.exit(0)", "os._exit(0)", "segment.close(); os._exit(0)", "del segment; os._exit(0)"]
)
def test_forked_children_never_remove_it(end):
    code = script(
        OWNER,
        f"""
    pid = os.fork()
    if pid == 0:
        assert segment.owner_alive and not segment.is_owner
        {end}
    say(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), os.path.exists("/dev/shm" + segment.name), segment.is_owner)
    """,
    )
    with child(code) as owner:
        name = owner.hear()
        assert owner.hear() == "0 True True"
        assert owner.end() == 0
    assert not exists(name)


def test_a_forked_child_does_not_keep_a_dead_owner_alive():
    code = script(
        OWNER,
        """
    if os.fork() == 0:
        deadline = time.monotonic() + 30
        while segment.owner_alive and time.monotonic() < deadline: time.sleep(0.01)
        say(segment.owner_alive, segment.array.min())
        os._exit(0)
    os.kill(os.getpid(), 9)
    """,
    )
    with child(code) as owner:
        name = owner.hear()
        assert owner.hear() == "False 3"
    reap()
    assert not exists(name)


def test_a_forked_child_can_await_what_its_parent_awaits():
    code = script(
        OWNER,
        """
        import asyncio
        volume = Volume(segment, None)
        async def main():
            task = asyncio.create_task(volume.wait_async())
            await asyncio.sleep(0.05)
            pid = os.fork()
            if pid == 0:
                asyncio.events._set_running_loop(None)
                asyncio.run(asyncio.wait_for(volume.wait_async(slices=[1]), 30))
                os._exit(0)
            volume.segment.publish(1, 8)
            say(await asyncio.to_thread(lambda: os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])))
            task.cancel()
        asyncio.run(main())
        """,
    )
    with child(code) as owner:
        owner.hear()
        assert owner.hear() == "0"
        assert owner.end() == 0


def test_publishing_from_several_processes_loses_nothing():
    count, workers = 600, 3
    code = f"""
    segment = Segment.attach(name, writable=True)
    mine = int(hear())
    for index in range(mine, {count}, {workers}):
        segment.array[index] = index % 100
        assert segment.publish(index, 8 if index % 5 else 255, index, index)
    say("done")
    """
    with Segment.create((count, 2, 2), "int16", {}, slices=count) as segment:
        before = segment.sequence
        with child(code, segment.name) as a, child(code, segment.name) as b, child(code, segment.name) as c:
            for number, worker in enumerate((a, b, c)):
                worker.say(str(number))
            for worker in (a, b, c):
                assert worker.hear() == "done"
        index = np.arange(count)
        assert segment.sequence == before + count
        assert segment.counters == (480, 120, 480)
        np.testing.assert_array_equal(segment.states, np.where(index % 5, 8, 255))
        np.testing.assert_array_equal(segment.ranges, np.stack([index, index], 1))
        np.testing.assert_array_equal(segment.array, np.broadcast_to((index % 100)[:, None, None], (count, 2, 2)))


def test_threads_that_want_the_same_slice_agree_on_one():
    with Segment.create((200, 1, 1), "int8", {}, slices=200) as segment:
        taken: list[int] = []

        def publish() -> None:
            taken.append(sum(segment.publish(index, FULL) for index in range(200)))

        threads = [threading.Thread(target=publish) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(taken) == 200
        assert segment.counters == (200, 0, 200)


def test_the_reaper_leaves_what_is_not_an_orphan(segment, tmp_path):
    foreign = SHM / "volstream-pipe-of-a-test"
    os.mkfifo(foreign)
    try:
        reap()
        assert foreign.exists()
    finally:
        foreign.unlink()
    assert segment.name in names()


def test_an_orphan_without_a_header_is_removed():
    path = SHM / ("volstream-" + "0" * 32)
    path.write_bytes(b"")
    reap()
    assert not path.exists()


def test_a_segment_that_is_being_created_is_left_alone():
    lease = Lease.create(None)
    try:
        reap()
        with pytest.raises(SegmentError, match="incomplete"):
            Segment.attach("/" + lease.path.name)
    finally:
        lease.release()
    assert names() == set()


def test_a_creator_that_a_reaper_overtook_starts_anew(monkeypatch):
    """The reaper saw the file after it was made and before it was locked."""
    flock, met = leases.fcntl.flock, []

    def late(descriptor: int, how: int) -> None:
        if how == leases.fcntl.LOCK_EX and not met:
            met.extend(names())
            reap()
        flock(descriptor, how)

    monkeypatch.setattr(leases.fcntl, "flock", late)
    with Segment.create((2, 2, 2), "int8", {}, slices=2) as segment:
        assert names() == {segment.name}
        assert met != [segment.name]


def test_creating_and_reaping_from_many_processes_at_once():
    code = """
    for _ in range(60):
        with Segment.create((2, 8, 8), "int16", {}, slices=2) as segment:
            with Segment.attach(segment.name) as other:
                assert other.owner_alive
            assert os.path.exists("/dev/shm" + segment.name)
    """
    env = {"PYTHONPATH": os.pathsep.join(sys.path)}
    prologue = "import os\nfrom volstream.store.segment import Segment"
    run = [sys.executable, "-c", script(prologue, code)]
    processes = [subprocess.Popen(run, env=os.environ | env) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]


def test_a_wait_lets_ctrl_c_through(segment):
    code = """
    import _thread
    segment = Segment.attach(name)
    say("waiting")
    try: segment.wait_change(segment.sequence, 60)
    except KeyboardInterrupt: say("interrupted")
    """
    with child(code, segment.name) as other:
        other.hear()
        time.sleep(0.2)
        other.process.send_signal(signal.SIGINT)
        assert other.hear() == "interrupted"
