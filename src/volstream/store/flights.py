"""What several threads ask for at once is made by one of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar, cast

from ..errors import UsageError

T = TypeVar("T")


class Flights:
    """Calls under way, by what they make."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: dict[Hashable, tuple[int, Future[Any]]] = {}

    def __contains__(self, key: Hashable) -> bool:
        return key in self._under_way

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` returns or raises, or the call of it that another thread has under way."""
        with self._lock:
            thread, result = self._under_way.get(key, (0, None))
            if mine := result is None:
                result = Future()
                self._under_way[key] = threading.get_ident(), result
        if not mine:
            if thread == threading.get_ident():
                raise UsageError("a loader asks for what it is to make")
            return cast(T, result.result())
        try:
            made = make()
        except BaseException as error:
            result.set_exception(error)
            raise
        else:
            result.set_result(made)
            return made
        finally:
            with self._lock:
                del self._under_way[key]
