"""From a caller's keyword arguments to a session on a loop of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from .engine.options import EngineOptions
from .errors import UsageError
from .fetch.options import FetchOptions
from .loop import LoopThread
from .plan import PlanOptions
from .session import Session
from .store.disk import CacheOptions

if TYPE_CHECKING:
    from .caching import Keeper
    from .fetch.source import Source
    from .store.layout import Layout
    from .store.volume import Volume

_GROUPS = (PlanOptions, FetchOptions, EngineOptions, CacheOptions)


def open_on_thread(
    source: Source,
    plan: PlanOptions,
    engine: EngineOptions,
    keeper: Keeper | None,
    admit: Callable[[Layout], object] | None = None,
) -> tuple[Volume, Session]:
    """A volume that is allocated and not yet loading, on a private loop that its `close` ends."""
    thread = LoopThread()
    try:
        session = Session(source, plan, engine, thread, keeper)
        try:
            return thread.run(session.open(admit)), session
        except BaseException:
            thread.run(session.aclose())
            raise
    except BaseException:
        thread.close()
        raise


def split_options(options: dict[str, Any]) -> tuple[PlanOptions, FetchOptions, EngineOptions, CacheOptions]:
    """Keyword arguments to the four option classes; an unknown one is a UsageError that lists what there is."""
    fields = {group: {field.name for field in dataclasses.fields(group)} for group in _GROUPS}
    unknown = sorted(set(options) - set().union(*fields.values()))
    if unknown:
        known = ", ".join(sorted(set().union(*fields.values())))
        raise UsageError(f"unknown option {', '.join(unknown)}; there are: {known}")
    made = [group(**{name: options[name] for name in names & set(options)}) for group, names in fields.items()]
    return cast(tuple[PlanOptions, FetchOptions, EngineOptions, CacheOptions], tuple(made))
