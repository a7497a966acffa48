"""Trying again: when, how often, after how long."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TypeVar

from volstream.errors import UnreachableError, VolstreamError

T = TypeVar("T")

#: Too many, too slow, or out of order for a moment. 501 and 505 will not change; 4xx is our own fault.
RETRIED_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})


class TransientError(Exception):
    """An attempt failed in a way that may pass: `error` is what to raise if it does not."""

    def __init__(self, error: VolstreamError, *, after: float | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.after = after


@dataclass(slots=True)
class Clock:
    """Time and chance, so that tests need neither."""

    now: Callable[[], float] = time.monotonic
    date: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random


class Retry:
    """Exponential backoff with full jitter, and a quota that keeps a failing server from being stormed.

    The quota is shared by all requests to one server: a repetition costs 5 of 500 tokens, a success gives one back.
    """

    base, cap, after_cap = 0.1, 5.0, 30.0
    quota, cost = 500, 5

    def __init__(self, attempts: int, clock: Clock) -> None:
        self.attempts = attempts
        self.clock = clock
        self.tokens = self.quota

    async def run(self, attempt: Callable[[], Awaitable[T]], *, seconds: float | None) -> T:
        """Run `attempt` until it does not raise TransientError, at most `attempts` times and for `seconds`."""
        end = None if seconds is None else self.clock.now() + seconds
        for number in range(1, self.attempts + 1):
            try:
                async with asyncio.timeout(None if end is None else max(0.0, end - self.clock.now())):
                    result = await attempt()
            except TransientError as failure:
                wait = self.delay(number, failure.after)
                late = end is not None and self.clock.now() + wait >= end
                if number == self.attempts or late or self.tokens < self.cost:
                    raise _tried(failure.error, number) from failure.__cause__
                self.tokens -= self.cost
                await self.clock.sleep(wait)
            except TimeoutError:
                raise _tried(UnreachableError(f"no complete answer within {seconds:g} s"), number) from None
            else:
                self.tokens = min(self.quota, self.tokens + 1)
                return result
        raise AssertionError("unreachable: the last attempt returns or raises")

    def delay(self, number: int, after: float | None) -> float:
        """Seconds to wait after the `number`th failure; the server's wish goes first."""
        if after is not None:
            return min(after, self.after_cap)
        return self.clock.random() * min(self.cap, self.base * 2.0 ** (number - 1))


def _tried(error: VolstreamError, times: int) -> VolstreamError:
    if times > 1:
        error.message += f" ({times} attempts)"
    return error


def parse_retry_after(field: str | None, now: float) -> float | None:
    """Seconds, from either form of Retry-After (RFC 9110 section 10.2.3); None if it is malformed or absent."""
    field = (field or "").strip()
    if field.isascii() and field.isdigit():
        return float(field[:12])
    try:
        return max(0.0, parsedate_to_datetime(field).timestamp() - now)
    except (ValueError, OverflowError):
        return None
