"""How to fetch: one frozen object, passed down from `load(...)`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from volstream.errors import UsageError

if TYPE_CHECKING:
    from ssl import SSLContext

    from aiohttp import ClientSession

#: A bearer token, or the headers that prove who asks.
Credential: TypeAlias = str | Mapping[str, str]
#: Called with False for the first credential and with True after the server refused it (401).
Auth: TypeAlias = Callable[[bool], Credential | Awaitable[Credential]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchOptions:
    """Everything a remote source needs to know; local sources ignore it.

    `headers`, `auth` and the session's own headers and cookies go to the origin of the source only, never along
    with a redirect to another one. Nothing secret shows in `repr`.
    """

    #: The caller's session: used as it is and left open. One is made, and closed, otherwise.
    session: ClientSession | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    auth: Auth | None = field(default=None, repr=False)
    #: As aiohttp takes it: True to verify, False not to, or a context (private authority, client certificate).
    ssl: SSLContext | bool = True
    #: "frames": a request a frame (or some frames of a large instance), in the order they are wanted. "series": one
    #: request for everything, in the server's order; what it leaves out is fetched by frames. "auto": the whole series
    #: if it has many small images, where requests cost more than bytes; frames otherwise.
    retrieve: Literal["auto", "frames", "series"] = "auto"
    #: Requests in flight to one host.
    connections: int = 16
    #: Times one request is sent at most.
    attempts: int = 4
    #: Seconds until a connection must stand, until something more must have arrived, and for one request with
    #: all its repetitions.
    connect_timeout: float = 10.0
    stall_timeout: float = 30.0
    deadline: float = 300.0

    def __post_init__(self) -> None:
        if self.retrieve not in ("auto", "frames", "series"):
            raise UsageError(f"retrieve must be 'auto', 'frames' or 'series', not {self.retrieve!r}")
        for name in ("connections", "attempts"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be 1 or more, not {getattr(self, name)}")
        for name in ("connect_timeout", "stall_timeout", "deadline"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name} must be positive, not {getattr(self, name)}")
