"""The server on a thread of its own, for the demo, for tests and for programs that are not asynchronous."""

from __future__ import annotations

import asyncio
import os
import threading
from types import TracebackType
from typing import Any

from aiohttp import web

from volstream.errors import ResourceError, UsageError
from volstream.server.app import is_loopback, make_app
from volstream.server.index import Series, read_folder


def serve(folder: str | os.PathLike[str], *, host: str = "127.0.0.1", port: int = 0) -> Server:
    """Serve the DICOM files in `folder` until the returned server is closed; it is a context manager.

    Port 0 takes a free one. UsageError for a host that is not loopback: there is no authentication yet.
    SourceError if the folder holds no images, ResourceError if the port cannot be had.
    """
    if not is_loopback(host):
        raise UsageError(f"refusing to serve on {host}: without authentication only loopback is safe")
    return Server(read_folder(folder), host, port)


class Server:
    """A running server. `url` is the DICOMweb base, `series` the URL of each series, in order of their files."""

    def __init__(self, series: list[Series], host: str, port: int) -> None:
        self._ready = threading.Event()
        self._error: OSError | None = None
        self._thread = threading.Thread(target=self._run, args=(series, host, port), name="volstream-server")
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            self._thread.join()
            raise ResourceError(f"cannot serve on {host}:{port}: {self._error.strerror}") from self._error
        self.series = [f"{self.url}{each.path}" for each in series]

    def close(self) -> None:
        """Stop, and return when the thread has ended. Requests under way are given a moment."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _run(self, *arguments: Any) -> None:
        try:
            asyncio.run(self._serve(*arguments))
        except OSError as error:
            self._error = error
        finally:
            self._ready.set()

    async def _serve(self, series: list[Series], host: str, port: int) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        runner = web.AppRunner(make_app(series), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
            name = f"[{host}]" if ":" in host else host
            self.url = f"http://{name}:{runner.addresses[0][1]}"
            self._ready.set()
            await self._stop.wait()
        finally:
            await runner.cleanup()
