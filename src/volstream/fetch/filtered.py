"""A source whose records are looked at, added to, or left out on their way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from volstream.fetch.link import Link
from volstream.fetch.source import Put, Source, Want
from volstream.records import FrameRecord


class FilteredSource:
    """`source`, with what `change` makes of its records; what is added has to be in the volume already."""

    def __init__(self, source: Source, change: Callable[[list[FrameRecord]], list[FrameRecord]]) -> None:
        self._source = source
        self._change = change
        self.address, self.skipped = source.address, source.skipped
        self.connections, self.host = source.connections, source.host
        #: What is added has no identity.
        self.identity, self.stamp = None, None

    @property
    def at_once(self) -> bool:
        return self._source.at_once

    @property
    def link(self) -> Link | None:
        return self._source.link

    async def is_unchanged(self, stamp: Any) -> bool:
        return False

    async def records(self) -> list[FrameRecord]:
        return self._change(await self._source.records())

    def batch_size(self, record: FrameRecord) -> int:
        return self._source.batch_size(record)

    async def fetch(self, wants: Sequence[Want], put: Put) -> Sequence[Want]:
        return await self._source.fetch(wants, put)

    async def close(self) -> None:
        await self._source.close()
