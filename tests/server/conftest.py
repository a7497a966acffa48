"""A client that is as plain as can be, so that what the server sends is seen as it is."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import Message

import pytest

ANY_SYNTAX = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'


@dataclass
class Answer:
    status: int
    headers: Message
    body: bytes

    @property
    def parts(self) -> list[tuple[dict[str, str], bytes]]:
        """Headers and body of each part, by the boundary alone."""
        boundary = re.search(r"boundary=(\S+)", self.headers["Content-Type"])
        assert boundary is not None
        mark = b"\r\n--" + boundary[1].encode()
        pieces = (b"\r\n" + self.body).split(mark)
        assert pieces[0] == b""
        assert pieces[-1] == b"--\r\n"
        found = []
        for piece in pieces[1:-1]:
            head, _, body = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
            lines = (line.partition(": ") for line in head.decode().split("\r\n"))
            found.append(({name: value for name, _, value in lines}, body))
        return found


class Client:
    def get(self, url: str, accept: str | None = None, method: str = "GET", **headers: str) -> Answer:
        request = urllib.request.Request(url, headers=headers, method=method)
        if accept is not None:
            request.add_header("Accept", accept)
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return Answer(response.status, response.headers, response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def frames(self, url: str, frames: str = "1", accept: str = ANY_SYNTAX) -> Answer:
        return self.get(f"{url}/frames/{frames}", accept)


@pytest.fixture
def client() -> Client:
    return Client()
