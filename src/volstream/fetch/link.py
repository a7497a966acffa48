"""What was seen of the link to a server."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from volstream.fetch.answer import Answer

#: Smaller bodies come in one piece with their head: they tell nothing of the bandwidth.
BULK = 32 << 10


@dataclass(slots=True)
class Link:
    """Told of every answer whose body has been read."""

    #: Least seconds from a request to the head of its answer.
    latency: float = math.inf
    #: Bytes on the wire, and the seconds in which any of them was waited for or read.
    received: int = 0
    seconds: float = 0.0
    _bulk: int = 0
    _bulk_seconds: float = 0.0
    _until: float = -math.inf

    def add(self, answer: Answer) -> None:
        now = answer.clock.now()
        self.latency = min(self.latency, answer.began - answer.sent)
        self.received += answer.received
        self.seconds += now - max(answer.sent, self._until)
        if answer.received >= BULK:
            self._bulk += answer.received
            self._bulk_seconds += now - max(answer.began, self._until)
        self._until = now

    @property
    def rate(self) -> float | None:
        """Bytes a second with all waiting, so rather too low; None before the first answer."""
        return self.received / self.seconds if self.seconds > 0 else None

    @property
    def bandwidth(self) -> float | None:
        """Bytes a second while bodies were coming; None before the first of some size."""
        return self._bulk / self._bulk_seconds if self._bulk_seconds > 0 else None
