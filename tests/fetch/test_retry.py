"""The retry engine, on a clock that only tests move."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volstream.errors import HttpStatusError, SourceError, TruncatedError
from volstream.fetch.retry import Clock, Retry, TransientError, parse_retry_after


class Fake:
    """A clock whose sleeps take no time, and a series of attempts."""

    def __init__(self, chance: float = 1.0) -> None:
        self.time = 0.0
        self.sleeps: list[float] = []
        self.calls = 0
        self.clock = Clock(now=lambda: self.time, date=lambda: 0.0, sleep=self.sleep, random=lambda: chance)

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.time += seconds

    def run(self, retry: Retry, outcomes: Iterable[Exception | str], seconds: float | None = 1000) -> str:
        queue = iter(outcomes)

        async def attempt() -> str:
            self.calls += 1
            outcome = next(queue)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        return asyncio.run(retry.run(attempt, seconds=seconds))


def failure(after: float | None = None) -> TransientError:
    return TransientError(TruncatedError("cut"), after=after)


def test_first_success_ends_it() -> None:
    fake = Fake()
    assert fake.run(Retry(4, fake.clock), [failure(), failure(), "done"]) == "done"
    assert fake.sleeps == [0.1, 0.2]


def test_gives_up_after_so_many_attempts() -> None:
    fake = Fake()
    with pytest.raises(TruncatedError, match=r"cut \(4 attempts\)"):
        fake.run(Retry(4, fake.clock), [failure() for _ in range(9)])
    assert fake.calls == 4
    assert fake.sleeps == [0.1, 0.2, 0.4]


def test_what_does_not_pass_is_not_repeated() -> None:
    fake = Fake()
    with pytest.raises(HttpStatusError):
        fake.run(Retry(4, fake.clock), [HttpStatusError("no", status=404), "done"])
    assert fake.calls == 1


@given(number=st.integers(1, 60), chance=st.floats(0, 1, exclude_max=True))
def test_jitter_is_full_and_bounded(number: int, chance: float) -> None:
    wait = Retry(99, Fake(chance).clock).delay(number, None)
    assert wait == chance * min(5.0, 0.1 * 2 ** (number - 1))


@pytest.mark.parametrize(("after", "slept"), [(0.0, 0.0), (2.0, 2.0), (1e9, 30.0)])
def test_the_servers_wish_goes_first_up_to_a_cap(after: float, slept: float) -> None:
    fake = Fake()
    assert fake.run(Retry(4, fake.clock), [failure(after), "done"]) == "done"
    assert fake.sleeps == [slept]


def test_no_attempt_after_the_deadline() -> None:
    fake = Fake()
    with pytest.raises(TruncatedError):
        fake.run(Retry(99, fake.clock), (failure(10) for _ in range(99)), seconds=25)
    assert fake.sleeps == [10, 10]


def test_one_attempt_that_takes_too_long() -> None:
    async def attempt() -> None:
        await asyncio.sleep(3600)

    with pytest.raises(SourceError, match=r"within 0\.01 s"):
        asyncio.run(Retry(4, Clock()).run(attempt, seconds=0.01))


def test_the_quota_of_a_failing_server_runs_out() -> None:
    fake = Fake()
    retry = Retry(4, fake.clock)
    for _ in range(1000):
        with pytest.raises(TruncatedError):
            fake.run(retry, [failure() for _ in range(4)])
    assert fake.calls == 1000 + 500 // 5
    # Successes earn it back.
    for _ in range(5):
        fake.run(retry, ["done"])
    assert fake.run(retry, [failure(), "done"]) == "done"


@pytest.mark.parametrize(
    ("field", "seconds"),
    [
        (None, None),
        ("", None),
        ("3", 3.0),
        (" 7 ", 7.0),
        ("1000000000", 1e9),
        ("9" * 400, 999999999999.0),
        ("-3", None),
        ("2.5", None),
        ("soon", None),
        ("٣", None),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 90.0),
        ("Thu, 01 Jan 1970 00:00:01 GMT", 0.0),
        ("Thu, 99 Jan 1970 00:00:01 GMT", None),
    ],
)
def test_retry_after(field: str | None, seconds: float | None) -> None:
    assert parse_retry_after(field, 10.0) == seconds


@given(st.text(max_size=40))
def test_retry_after_never_fails(field: str) -> None:
    seconds = parse_retry_after(field, 0.0)
    assert seconds is None or seconds >= 0
