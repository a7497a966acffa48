"""Files of the cache: one process fills them, another goes on; once sealed, nothing in them changes unnoticed."""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volstream.errors import SegmentError, UsageError
from volstream.store.cached import CachedSegment
from volstream.store.layout import HEADER_SIZE, Layout
from volstream.store.lease import is_used
from volstream.store.segment import Segment
from volstream.store.states import FAILED, FULL

from .processes import child, script

SLICES = 4
#: The last slice is a gap.
METADATA = {"units": "HU", "slices": {"addresses": ["a", "b", "c", None]}, "cache": {"stamp": "now"}}


def make(path: Path) -> CachedSegment:
    return CachedSegment.create((SLICES, 3, 2), "int16", METADATA, slices=SLICES, fill=-5, path=path)


def fill(segment: CachedSegment, *indices: int) -> None:
    with closing(segment.writer()) as writer:
        for index in indices:
            writer.put(index, np.full(6, index + 1, np.int16), FULL, index + 1, index + 1)


def finish(path: Path) -> None:
    with make(path) as segment:
        fill(segment, 0, 1, 2)
        with closing(segment.writer()) as writer:
            writer.fail(3)
        segment.seal()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "volume.volstream"


def test_what_is_sealed_stays(path: Path) -> None:
    finish(path)
    with CachedSegment.attach(path) as again:
        assert again.states_are_right()
        assert again.voxels_are_right()
        assert again.sealed
        assert again.complete
        assert again.made_from == {"stamp": "now"}
        assert "cache" not in again.metadata
        assert again.states.tolist() == [8, 8, 8, 255]
        assert again.counters == (3, 1, 3)
        np.testing.assert_array_equal(again.array[:, 0, 0], [1, 2, 3, -5])
    with Segment.attach(path) as plain:
        assert plain.activity == "complete", "for programs that know nothing of seals"
    assert path.exists()


def test_what_is_not_sealed_goes_with_the_last_who_uses_it(path: Path) -> None:
    first = make(path)
    with CachedSegment.attach(path):
        first.close()
        assert path.exists()
    assert not path.exists()
    with make(path):
        pass
    assert not path.exists()


def test_closing_twice_or_without_a_folder_is_no_error(path: Path) -> None:
    segment = make(path)
    shutil.rmtree(path.parent)
    segment.close()
    segment.close()
    with pytest.raises(UsageError, match="closed"):
        _ = segment.array


def test_changes_of_the_array_stay_in_the_process(path: Path) -> None:
    finish(path)
    before = path.read_bytes()
    with CachedSegment.attach(path) as one, CachedSegment.attach(path) as other:
        one.array[...] = 77
        assert one.array.min() == 77
        assert other.array.max() == 3
    assert path.read_bytes() == before


def test_it_can_be_written_to_once_it_is_complete(path: Path) -> None:
    """All slices share a page here: a copy of it, made too early, would miss those that arrive later."""
    with make(path) as segment:
        early = segment.array
        for index in range(3):
            with pytest.raises(ValueError, match="read-only"):
                segment.array[...] = 99
            fill(segment, index)
        segment.array[2] = 99
        assert early[:, 0, 0].tolist() == [1, 2, 99, 0]
        with pytest.raises(ValueError, match="read-only"):
            early[...] = 99
        with Segment.attach(segment.name) as other_process:
            assert other_process.array[:, 0, 0].tolist() == [1, 2, 3, 0]


def test_one_at_a_time_fills_it(path: Path) -> None:
    with make(path) as first, CachedSegment.attach(path) as second, CachedSegment.attach(path) as third:
        assert first.claim(), "who made it has it"
        assert not second.claim()
        fill(first, 0)
        assert second.states.tolist() == [8, 0, 0, 0]
        first.free()
        assert second.claim()
        assert not first.claim()
        assert not third.claim()
        fill(second, 1)
        second.close()
        assert third.claim()
        fill(third, 2)
        assert first.complete
        assert first.counters == (3, 0, 3)


def test_what_failed_elsewhere_is_pending_here(path: Path) -> None:
    with make(path) as first, CachedSegment.attach(path) as second:
        first.publish(3, FAILED)
        first.publish(1, FAILED)
        assert first.states.tolist() == [0, 255, 0, 255]
        assert second.states.tolist() == [0, 0, 0, 255], "but a gap is a gap"
        first.free()
        assert second.claim()
        assert first.states.tolist() == [0, 0, 0, 255]
        second.publish(1, FAILED)
        second.free()
        assert second.claim()
        assert second.states.tolist() == [0, 255, 0, 255], "what failed here is not tried again by itself"


def test_counters_are_made_right_after_a_death(path: Path) -> None:
    with make(path) as first, CachedSegment.attach(path) as second:
        first.publish(0, FULL)
        first.publish(1, 6)
        mapping = first._mapping
        assert mapping is not None
        mapping[264:276] = bytes(12)
        first.free()
        assert second.claim()
        assert second.counters == (1, 0, 2)


def test_each_process_has_an_activity_of_its_own(path: Path) -> None:
    with make(path) as first, CachedSegment.attach(path) as second:
        first.set_activity("loading")
        second.set_activity("cancelled")
        assert (first.activity, second.activity) == ("loading", "cancelled")
        assert first.owner_alive
        first.close()
        assert second.owner_alive, "who fills it may change: that is no reason to stop waiting"
        second.close()
        assert not second.owner_alive


def test_the_file_is_in_use_while_anybody_has_it_open(path: Path) -> None:
    def used() -> bool:
        descriptor = os.open(path, os.O_RDWR)
        try:
            return is_used(descriptor)
        finally:
            os.close(descriptor)

    finish(path)
    assert not used()
    with CachedSegment.attach(path):
        assert used()
    with Segment.attach(path), Segment.attach(path):
        assert used()
        with Path(path).open("rb"):
            pass
        assert used(), "closing some other descriptor loses no lock"
    assert not used()


def test_a_forked_child_keeps_no_lock_and_drops_none(path: Path) -> None:
    code = script(
        """
        from volstream.store.cached import CachedSegment
        from pathlib import Path
        segment = CachedSegment.create((2, 2, 2), "int16", {}, slices=2, path=Path(name))
        pid = os.fork()
        if pid == 0:
            assert not segment.claim()
            segment.close()
            os._exit(0)
        say(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), os.path.exists(name), segment.claim())
        if os.fork() == 0:
            say("child")
            time.sleep(60)
        hear()
        segment.free()
        say("free")
        hear()
        """
    )
    with child(code, str(path), new_group=True) as parent:
        assert parent.hear() == "0 True True"
        assert parent.hear() == "child"
        with CachedSegment.attach(path) as other:
            assert not other.claim()
            parent.say()
            assert parent.hear() == "free"
            assert other.claim(), "the child's descriptor does not hold the lock"
        os.killpg(parent.process.pid, 9)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("cached") / "good.volstream"
    finish(path)
    return path.read_bytes()


def opened(path: Path, content: bytes, *, voxels: bool) -> tuple[object, ...]:
    """What a reader sees of a file with this content; SegmentError if it is not taken for whole."""
    path.write_bytes(content)
    with CachedSegment.attach(path) as segment:
        if not (segment.sealed and segment.states_are_right() and (segment.voxels_are_right() or not voxels)):
            raise SegmentError("not as it was sealed")
        return (
            segment.array.tolist(), segment.states.tolist(), segment.ranges[:3].tolist(), segment.counters,
            segment.metadata, segment.made_from, segment.complete,
        )  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_every_flipped_bit_is_harmless_or_noticed(image: bytes, tmp_path_factory: pytest.TempPathFactory, data) -> None:
    path = tmp_path_factory.getbasetemp() / "flipped.volstream"
    layout = Layout.parse(image, len(image))
    places = st.sampled_from([*range(330), *range(HEADER_SIZE, layout.ranges_offset + layout.ranges_length)])
    offset = data.draw(places | st.integers(layout.voxels_offset, len(image) - 1) | st.integers(0, len(image) - 1))
    damaged = bytearray(image)
    damaged[offset] ^= 1 << data.draw(st.integers(0, 7))
    right = opened(path, image, voxels=True)
    try:
        assert opened(path, bytes(damaged), voxels=True) == right
    except SegmentError:
        return
    assert offset < layout.voxels_offset


@settings(max_examples=60, deadline=None)
@given(length=st.integers(0, 70000))
def test_a_cut_file_is_never_taken_for_whole(image: bytes, tmp_path_factory: pytest.TempPathFactory, length) -> None:
    path = tmp_path_factory.getbasetemp() / "cut.volstream"
    with pytest.raises(SegmentError):
        opened(path, image[: min(length, len(image) - 1)], voxels=False)
