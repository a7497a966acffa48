"""Single images: `load_image`, and the loader of DICOM images, one by one, without the headers of their series."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from .engine.alone import fill_alone
from .engine.options import EngineOptions
from .errors import UsageError, ValueRangeError, VolstreamError
from .fetch.options import FetchOptions
from .fetch.pool import all_of
from .fetch.source import open_source
from .identity import ImageId, shown_of
from .loop import LoopThread
from .opening import split_options
from .plan import PlanOptions, build_plan
from .registry import image_loaders
from .store.cache import cache
from .store.image import Image
from .store.segment import Segment
from .store.states import FAILED, FULL
from .store.volume import Volume

T = TypeVar("T")


def load_image(image_id: str, **options: Any) -> Image:
    """The image with this id, from the cache; otherwise loaded, alone, and cached.

    In a cached volume it is a view on that, without a request (a volume that is loading is waited for). Otherwise the
    loader of the id's scheme brings it; of threads that ask for one image at once, one does.
    options: for the loader; those of DICOM images take what `volstream.load` takes.
    Raises as `volstream.load` does; ResourceError, before it fetches pixels, if the cache has no room.
    """
    scheme = ImageId.parse(image_id).scheme
    return _wait_for(image_id) or cache.get_or_make(image_id, lambda: image_loaders.find(scheme)(image_id, **options))


async def load_image_async(image_id: str, **options: Any) -> Image:
    """As `load_image`, under asyncio."""
    return await asyncio.to_thread(load_image, image_id, **options)


def load_dicom_image(image_id: str, **options: Any) -> Image:
    """The image loader of the schemes wadors, wadouri and dicomfile."""
    return _run(_load(image_id, options, for_cache=True))


def load_each(image_ids: Sequence[str], **options: Any) -> list[Image]:
    """Images one by one, some at once, past the cache."""
    by_scheme: dict[str, list[str]] = {}
    for image_id in dict.fromkeys(image_ids):
        by_scheme.setdefault(ImageId.parse(image_id).scheme, []).append(image_id)
    images: list[Image] = []
    for scheme, some in by_scheme.items():
        if image_loaders.is_built_in(scheme):
            images += _run(_load_all(some, options, is_remote=scheme != "dicomfile"))
        else:
            with ThreadPoolExecutor(FetchOptions().connections) as pool:
                images += pool.map(partial(image_loaders.find(scheme), **options), some)
    return images


def _wait_for(image_id: str) -> Image | None:
    """The image out of the cache; of a volume that loads, once it is there."""
    place = cache.place_of(image_id)
    if place is not None and place[0].is_loading and place[0].states[place[1]] not in (FULL, FAILED):
        with contextlib.suppress(UsageError):  # attached
            place[0].prioritize([place[1]])
        with contextlib.suppress(VolstreamError):  # it will not come that way
            place[0].wait(slices=[place[1]])
    return cache.find(image_id)


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    thread = LoopThread()
    try:
        return thread.run(coroutine)
    finally:
        thread.close()


async def _load_all(image_ids: Sequence[str], options: dict[str, Any], *, is_remote: bool) -> list[Image]:
    """With one set of connections for all."""
    fetch = split_options(options)[1]
    async with contextlib.AsyncExitStack() as stack:
        if is_remote and fetch.session is None:
            from .fetch.http import make_session

            options = options | {"session": await stack.enter_async_context(make_session(fetch))}
        calls = [partial(_load, image_id, options) for image_id in image_ids]
        return await all_of(calls, fetch.connections)


async def _load(image_id: str, options: dict[str, Any], *, for_cache: bool = False) -> Image:
    plan, fetch, engine, _ = split_options(options)
    try:
        return await _load_as(plan, fetch, engine, image_id, for_cache)
    except ValueRangeError:
        if plan.dtype is not None:
            raise
        return await _load_as(replace(plan, dtype="int32"), fetch, engine, image_id, for_cache)


async def _load_as(
    plan_options: PlanOptions, fetch: FetchOptions, engine: EngineOptions, image_id: str, for_cache: bool
) -> Image:
    """As a volume of one slice, out of which the image is taken."""
    source = open_source([image_id], fetch)
    try:
        records = await source.records()
        if len(records) != 1:
            raise UsageError(f"it has {len(records)} frames: say which one", address=shown_of(image_id))
        plan = build_plan(records, plan_options)
        if for_cache:
            cache.admit(plan.nbytes, image_id, for_image=True)
        with Segment.create(plan.shape, plan.dtype, plan.metadata, slices=1, fill=plan.fill) as segment:
            await fill_alone(source, plan, segment, engine)
            planned = [slot.record for slot in plan.slots]  # in the units of the pixels
            return Volume(segment, None, geometry=plan.geometry, records=planned).image(0).copy()
    except VolstreamError as error:
        error.index = None  # alone it is no slice
        raise
    finally:
        await source.close()
