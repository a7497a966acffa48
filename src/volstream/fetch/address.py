"""URLs: where they lead, and what of them may be shown."""

from __future__ import annotations

import base64
from functools import lru_cache
from urllib.parse import unquote, urlsplit, urlunsplit

#: Fields of a query that servers take credentials from (RFC 6750 section 2.3), as they spell them.
SECRETS = frozenset({"access_token", "token", "id_token", "jwt", "auth", "apikey", "api_key"})


def origin(url: str) -> str:
    """Scheme, host and port (RFC 6454); credentials belong to one."""
    # There are few origins and many URLs.
    return _origin("/".join(url.split("/", 3)[:3]).partition("?")[0])


@lru_cache(maxsize=256)
def _origin(url: str) -> str:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.scheme}://{parts.hostname}:{port}"


def redacted(url: str) -> str:
    """Without user information, query and fragment: they may hold tokens and patient data."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def without_secrets(query: str) -> str:
    """A query without the fields that say who asks, and change from day to day."""
    return "&".join(field for field in query.split("&") if field.partition("=")[0].lower() not in SECRETS)


def without_user(url: str) -> tuple[str, str | None]:
    """The URL without its user information, and that as a Basic Authorization header (RFC 7617)."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, None
    token = base64.b64encode(unquote(user).encode()).decode()
    return urlunsplit(parts._replace(netloc=host)), f"Basic {token}"
