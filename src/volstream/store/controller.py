"""What stands behind a volume's control methods. The store knows no engine: whoever loads puts one of these in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from ..errors import VolstreamError

if TYPE_CHECKING:
    from .segment import Segment


class Controller(Protocol):
    """Callable from any thread. Progress is told through the segment alone: states and activity."""

    @property
    def errors(self) -> Mapping[int, VolstreamError]:
        """The error of each slice that failed, by index."""

    @property
    def is_bound(self) -> bool:
        """It runs on an event loop of the caller's."""

    @property
    def order(self) -> Sequence[int]:
        """All slices, in the order in which they would be loaded."""

    def start(self, slices: Sequence[int] | None = None) -> None:
        """Load what is not there yet, or join the load that runs; the activity is "loading" when this returns.

        With `slices` load these next, and no others that were not asked for before: the activity is "idle" then, if
        they have all got their final state and others have not.
        """

    def cancel(self) -> None:
        """Stop; slices that are there stay valid."""

    def prioritize(self, slices: Sequence[int]) -> None:
        """Of what has not been asked for yet, these slices come first, in this order."""

    def check_may_block(self) -> None:
        """UsageError if a blocking wait in this thread would wait for itself."""

    def close(self) -> None:
        """Stop, and release everything; when it returns nothing writes to the segment any more."""

    async def aclose(self) -> None:
        """The same, on the event loop that loads."""


class Finished:
    """Of a volume that was complete when it was made: there is nothing to load, and nothing that could stop."""

    is_bound = False

    def __init__(self, segment: Segment) -> None:
        self.errors: Mapping[int, VolstreamError] = {}
        self.order: Sequence[int] = range(segment.slices)
        segment.set_activity("complete")

    def start(self, slices: Sequence[int] | None = None) -> None:
        pass

    def cancel(self) -> None:
        pass

    def prioritize(self, slices: Sequence[int]) -> None:
        pass

    def check_may_block(self) -> None:
        pass

    def close(self) -> None:
        pass

    async def aclose(self) -> None:
        pass
