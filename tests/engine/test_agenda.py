"""What comes next: priorities, then steps, then the order of slices, at the moment in which a want is taken."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from volstream.engine.agenda import Agenda
from volstream.fetch.source import Want
from volstream.plan.order import ranks

from .conftest import frame


def filled(count: int, order: str = "centre-out") -> Agenda:
    agenda = Agenda(ranks(count, count, order))
    for index in range(count):
        agenda.add(Want(index, frame(index)))
    return agenda


def drain(agenda: Agenda) -> list[int]:
    indices = []
    while taken := agenda.take():
        indices += [want.index for want in taken]
    return indices


def test_from_the_centre_outwards() -> None:
    assert drain(filled(5)) == [2, 3, 1, 4, 0]


@given(st.permutations(range(12)), st.integers(0, 12), st.lists(st.integers(0, 11), unique=True))
def test_priorities_count_from_the_next_want_on(added: list[int], before: int, first: list[int]) -> None:
    agenda = Agenda(ranks(12, 12, "top-down"))
    for index in added:
        agenda.add(Want(index, frame(index)))
    taken = [agenda.take()[0].index for _ in range(before)]
    agenda.prioritize(first)
    rest = [index for index in range(11, -1, -1) if index not in taken]
    expected = [index for index in first if index in rest] + [index for index in rest if index not in first]
    assert agenda.is_urgent == bool(expected and expected[0] in first)
    assert drain(agenda) == expected


def test_of_what_is_named_twice_the_first_place_counts() -> None:
    agenda = filled(5)
    agenda.prioritize([3, 0, 3])
    assert drain(agenda) == [3, 0, 2, 1, 4]


@given(st.lists(st.lists(st.integers(0, 8), max_size=3), max_size=5))
def test_what_is_appended_comes_after_what_came_first_already(requests: list[list[int]]) -> None:
    agenda = filled(9)
    for each in requests:
        agenda.append(each)
    first = list(dict.fromkeys(index for each in requests for index in each))
    assert drain(agenda) == [*first, *(index for index in drain(filled(9)) if index not in first)]


def test_earlier_steps_come_first_but_not_before_priorities() -> None:
    agenda = Agenda(range(3))
    for index in range(3):
        agenda.add(Want(index, frame(index), step=1))
        agenda.add(Want(index, frame(index), step=0))
    agenda.prioritize([2])
    wants = [agenda.take()[0] for _ in range(6)]
    assert [(want.index, want.step) for want in wants] == [(2, 0), (2, 1), (0, 0), (1, 0), (0, 1), (1, 1)]


def test_only_whole_frames_of_one_instance_go_together() -> None:
    agenda = Agenda(range(5))
    record = frame(0)
    for index in range(3):
        agenda.add(Want(index, replace(record, frame=index)))
    agenda.add(Want(3, replace(record, frame=3), size=100))
    agenda.add(Want(4, frame(4)))
    sizes = []
    while taken := agenda.take(10):
        sizes.append(len(taken))
    assert sizes == [3, 1, 1]


def test_all_of_them_if_the_source_can() -> None:
    assert len(filled(7).take(100, any_instance=True)) == 7
