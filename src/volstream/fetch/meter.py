"""How fast the link to a server is."""

from __future__ import annotations

from dataclasses import dataclass

from volstream.fetch.answer import Answer


@dataclass(slots=True)
class Meter:
    """Counts bytes on the wire, and the time in which any of the answers was waited for or read."""

    received: int = 0
    seconds: float = 0.0
    _until: float = float("-inf")

    def add(self, answer: Answer) -> None:
        """An answer whose body has just ended."""
        now = answer.clock.now()
        self.received += answer.received
        self.seconds += now - max(answer.sent, self._until)
        self._until = now

    @property
    def rate(self) -> float | None:
        """Bytes a second; None before the first answer."""
        return self.received / self.seconds if self.seconds > 0 else None
