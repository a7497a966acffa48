"""Who asks: the caller's headers and a credential that can be renewed."""

from __future__ import annotations

import asyncio
import inspect

from volstream.errors import UsageError
from volstream.fetch.options import FetchOptions


class Credentials:
    """The headers to send to the source's own origin. A refresh is done once for all who were refused."""

    def __init__(self, options: FetchOptions, basic: str | None = None) -> None:
        self._headers = dict(options.headers)
        if basic:
            self._headers.setdefault("Authorization", basic)
        self._auth = options.auth
        self._lock = asyncio.Lock()
        self._current: dict[str, str] = {}
        #: Counts the credentials obtained; 0: none yet.
        self.generation = 0

    async def headers(self) -> dict[str, str]:
        if self._auth is not None and not self.generation:
            await self._obtain(refused=None)
        return {**self._headers, **self._current}

    async def refresh(self, refused: int) -> bool:
        """After a 401 to the credential of generation `refused`: whether there is another one now."""
        if self._auth is None:
            return False
        await self._obtain(refused)
        return True

    async def _obtain(self, refused: int | None) -> None:
        async with self._lock:
            if self.generation != (refused or 0):
                return  # somebody else did
            assert self._auth is not None
            credential = self._auth(refused is not None)
            if inspect.isawaitable(credential):
                credential = await credential
            if isinstance(credential, str):
                credential = {"Authorization": f"Bearer {credential}"}
            try:
                self._current = dict(credential)
            except (TypeError, ValueError):
                raise UsageError(f"auth returned {type(credential).__name__}, not a token or headers") from None
            self.generation += 1
