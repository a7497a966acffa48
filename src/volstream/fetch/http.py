"""The one place where requests are sent: connections, credentials, redirects, retries, limits, errors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Container, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

import aiohttp

from volstream.errors import HttpStatusError, ProtocolError, SourceError, TruncatedError, UnreachableError
from volstream.fetch.address import origin, redacted
from volstream.fetch.answer import READ_BUFFER, Answer, Limits, ReceivedAnswer, StreamedAnswer
from volstream.fetch.auth import Credentials
from volstream.fetch.direct import DirectClient, UnusualError
from volstream.fetch.link import Link
from volstream.fetch.options import FetchOptions
from volstream.fetch.retry import RETRIED_STATUSES, Clock, Retry, TransientError, parse_retry_after

T = TypeVar("T")

MAX_REDIRECTS = 3
#: Fields that ask for an answer only if there is a new one; else it is 304 (RFC 9110 section 13.1).
CONDITIONS = frozenset({"If-None-Match", "If-Modified-Since"})


class Http:
    """Requests to the server of one source."""

    def __init__(self, options: FetchOptions, *, basic: str | None = None, clock: Clock | None = None) -> None:
        self._options = options
        self._clock = clock or Clock()
        self._credentials = Credentials(options, basic)
        self._retry = Retry(options.attempts, self._clock)
        self.link = Link()
        self._own: aiohttp.ClientSession | None = None
        self._bare: aiohttp.ClientSession | None = None
        #: Until an answer is unusual. The caller's session may have its own way to the server.
        self._direct = DirectClient(options) if options.session is None else None
        self._timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=options.connect_timeout, sock_read=options.stall_timeout
        )

    async def get(
        self,
        url: str,
        read: Callable[[Answer], Awaitable[T]],
        *,
        accept: str,
        limits: Limits,
        headers: Callable[[], Mapping[str, str]] = dict,
        encoding: str = "identity",
        final: Container[int] = (),
        bulk: bool = False,
        whole: bool = False,
    ) -> T:
        """GET `url` and return what `read` makes of the answer, trying again what may pass.

        Raises HttpStatusError if the server refuses, SourceError if it cannot be reached or is too slow,
        ProtocolError and TruncatedError for broken answers. Statuses in `final` are not asked about again. A `bulk`
        request has no deadline: it may take as long as bytes keep coming. Of a `whole` one nobody looks at the body
        before all of it is there. `headers` are further ones; each attempt asks for them anew, since an attempt that
        broke off may have brought a part. If there are conditions among them, `read` may get an answer without a body,
        of status 304.
        """
        seconds = None if bulk else self._options.deadline

        async def attempt() -> T:
            fields = {"Accept": accept, "Accept-Encoding": encoding, **headers()}
            try:
                return await self._attempt(url, fields, read, limits, whole)
            except TransientError as failure:
                if isinstance(failure.error, HttpStatusError) and failure.error.status in final:
                    raise failure.error from None
                raise

        return await self._retry.run(attempt, seconds=seconds)

    async def close(self) -> None:
        """Close the sessions that were made here; the caller's stays open."""
        if self._direct is not None:
            await self._direct.close()
        for session in (self._own, self._bare):
            if session is not None:
                await session.close()
        self._own = self._bare = None

    async def _attempt(
        self, url: str, headers: dict[str, str], read: Callable[[Answer], Awaitable[T]], limits: Limits, whole: bool
    ) -> T:
        try:
            return await self._follow(url, headers, read, limits, whole)
        except ProtocolError as error:
            error.located(address=redacted(url))
            if isinstance(error, TruncatedError):
                raise TransientError(error) from error.__cause__
            raise
        except TransientError as failure:
            failure.error.located(address=redacted(url))
            raise
        except (aiohttp.ClientError, OSError) as error:  # a TimeoutError is an OSError too
            raise _translated(error, redacted(url)) from error

    async def _follow(
        self, url: str, headers: dict[str, str], read: Callable[[Answer], Awaitable[T]], limits: Limits, whole: bool
    ) -> T:
        home, refused = origin(url), 0
        redirects = 0
        while True:
            trusted = origin(url) == home
            credentials = await self._credentials.headers() if trusted else {}
            generation, sent = self._credentials.generation, self._clock.now()
            async with self._answer(url, {**credentials, **headers}, limits, trusted, whole) as answer:
                status = answer.status
                if status in (200, 206) or (status == 304 and CONDITIONS & headers.keys()):
                    answer.sent = sent
                    result = await read(answer)
                    self.link.add(answer)
                    return result
                if status in (301, 302, 303, 307, 308) and "Location" in answer.headers:
                    redirects += 1
                    url = _redirect(url, answer.headers["Location"], redirects)
                    continue
                if status == 401 and trusted and not refused:
                    refused = generation
                    if await self._credentials.refresh(refused):
                        refused = refused or 1
                        continue
                if status == 204:
                    raise TruncatedError("the server has no content for this")
                raise await self._refusal(answer, url)

    @asynccontextmanager
    async def _answer(
        self, url: str, headers: dict[str, str], limits: Limits, trusted: bool, whole: bool
    ) -> AsyncIterator[Answer]:
        if self._direct is not None and trusted and whole:
            try:
                received = await self._direct.get(url, headers, limits.body)
            except UnusualError:
                direct, self._direct = self._direct, None  # and so will the next ones be
                await direct.close()
            else:
                yield ReceivedAnswer(received, limits, self._clock)
                return
        async with self._session(trusted).get(
            url,
            headers=headers,
            allow_redirects=False,
            auto_decompress=False,
            raise_for_status=False,
            read_bufsize=READ_BUFFER,
            timeout=self._timeout,
            ssl=self._options.ssl if trusted else True,
        ) as response:
            yield StreamedAnswer(response, limits, self._clock)

    async def _refusal(self, answer: Answer, url: str) -> Exception:
        answer.limits = Limits(1 << 62)  # only its beginning is read
        error = HttpStatusError(
            f"the server answers {answer.status} {printable(answer.reason, 60)}".rstrip()
            + (f": {text}" if (text := printable(await answer.beginning(), 200)) else ""),
            status=answer.status,
            address=redacted(url),
        )
        if answer.status not in RETRIED_STATUSES:
            return error
        after = parse_retry_after(answer.headers.get("Retry-After"), self._clock.date())
        return TransientError(error, after=after)

    def _session(self, trusted: bool) -> aiohttp.ClientSession:
        if trusted and self._options.session is not None:
            return self._options.session
        if not trusted:
            # Another origin gets a session that knows no secret: no header, no cookie, no client certificate.
            self._bare = self._bare or make_session(self._options)
            return self._bare
        self._own = self._own or make_session(self._options)
        return self._own


def make_session(options: FetchOptions) -> aiohttp.ClientSession:
    """A session that keeps nothing but connections."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, limit_per_host=options.connections),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    )


def _redirect(url: str, location: str, count: int) -> str:
    """Where a redirect leads; RFC 9110 section 15.4."""
    target = urljoin(url, location)
    scheme = urlsplit(target).scheme
    if count > MAX_REDIRECTS:
        raise ProtocolError(f"more than {MAX_REDIRECTS} redirects")
    if scheme not in ("http", "https") or (scheme == "http" and urlsplit(url).scheme == "https"):
        raise ProtocolError(f"a redirect to {scheme or 'nowhere'} is refused")
    return target


def printable(text: str, length: int) -> str:
    """What a server says, fit for a message: one line, no control characters, not long."""
    text = " ".join(text.split())
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text if len(text) <= length else text[: length - 1] + "…"


def _translated(error: aiohttp.ClientError | OSError, address: str) -> Exception:
    """What went wrong on the way, as one of our errors."""
    reason = _reason(error)
    match error:
        case aiohttp.ClientPayloadError():
            return TransientError(TruncatedError(f"the answer breaks off: {reason}", address=address))
        case aiohttp.ClientSSLError() | aiohttp.ServerFingerprintMismatch():
            return SourceError(f"no trusted connection: {reason}", address=address)
        case TimeoutError():
            # The deadline of the whole request ends in a cancellation, so this is a connection that stalls.
            return TransientError(UnreachableError("the server is silent", address=address))
        case aiohttp.InvalidURL():
            return SourceError("not a valid URL", address=address)
        case aiohttp.ClientResponseError():
            return TransientError(ProtocolError(f"the answer is no HTTP: {reason}", address=address))
    return TransientError(UnreachableError(f"the connection failed: {reason}", address=address))


def _reason(error: BaseException) -> str:
    # aiohttp's own texts may hold the URL, and with it a token.
    if isinstance(error, OSError) and error.strerror:
        return printable(error.strerror, 120)
    if isinstance(error, aiohttp.ClientResponseError):
        return printable(error.message, 120)
    return type(error).__name__
