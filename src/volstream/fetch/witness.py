"""Has what a server holds changed since it was asked last? RFC 9110 sections 8.8 and 13."""

from __future__ import annotations

import hashlib
from email.utils import parsedate_to_datetime
from typing import TypeAlias

from volstream.fetch.answer import Answer

#: What tells an answer from a later one: "digest" of the body, "etag" and "modified" where the server gives them.
Stamp: TypeAlias = dict[str, str]


class Witness:
    """Sees the answers to one question, and tells whether they are those that an earlier stamp was made of."""

    def __init__(self, since: Stamp | None = None) -> None:
        self._since = since or {}
        self._digests: list[str] = []
        self._validators: Stamp = {}
        self._is_known = False

    @property
    def conditions(self) -> dict[str, str]:
        """Headers that ask the server itself, not a cache on the way, for an answer only if there is a new one."""
        if not self._since:
            return {}
        names = {"etag": "If-None-Match", "modified": "If-Modified-Since"}
        return {"Cache-Control": "no-cache"} | {
            names[name]: self._since[name] for name in names.keys() & self._since.keys()
        }

    def knows(self, answer: Answer, body: bytes | bytearray) -> bool:
        """Is this what the stamp was made of, and that the only answer?"""
        self._is_known = answer.status == 304 or _digest(body) == self._since.get("digest")
        return self._is_known

    def see(self, answer: Answer, body: bytes | bytearray) -> None:
        """Take note of an answer that is good for use."""
        self._digests.append(_digest(body))
        self._validators = _validators(answer)

    @property
    def knows_all(self) -> bool:
        """Is what was seen what the stamp was made of?"""
        return self._is_known or self.stamp["digest"] == self._since.get("digest")

    @property
    def stamp(self) -> Stamp:
        """Of everything seen; the order in which parallel requests were answered does not count."""
        if len(self._digests) == 1:
            return {"digest": self._digests[0], **self._validators}
        return {"digest": _digest(" ".join(sorted(self._digests)).encode())}


def _digest(body: bytes | bytearray) -> str:
    return hashlib.sha256(body).hexdigest()


def _validators(answer: Answer) -> Stamp:
    headers = answer.headers
    found = {"etag": headers.get("ETag", ""), "modified": headers.get("Last-Modified", "")}
    try:
        # What was changed in the second in which it was sent may be changed in it once more. RFC 9110 section 8.8.2.2.
        age = parsedate_to_datetime(headers["Date"]) - parsedate_to_datetime(found["modified"])
        if age.total_seconds() < 1:
            del found["modified"]
    except (KeyError, ValueError, TypeError):
        del found["modified"]
    return {name: value for name, value in found.items() if value}
