"""Volumes that are cached under an id: streamed, or made from images."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

import numpy as np

from .caching import keeper_for
from .errors import DamagedError, UsageError, ValueRangeError
from .fetch.filtered import FilteredSource
from .fetch.source import open_source
from .identity import ImageId, VolumeId
from .images import load_each
from .opening import open_on_thread, split_options
from .plan import MEASURES, PlanOptions, build_plan
from .records import FrameRecord
from .registry import image_loaders, volume_loaders
from .store.cache import cache
from .store.controller import Finished
from .store.image import Image, extremes
from .store.layout import Layout
from .store.segment import Segment
from .store.states import FULL, PENDING
from .store.volume import Volume


def create_volume(volume_id: str, image_ids: Any = (), **options: Any) -> Volume:
    """The cached volume with this id; otherwise made by the loader of the id's scheme, and cached. Not loading yet.

    image_ids: imageIds, or whatever else `volstream.load` takes. Images that are cached are copied, not fetched.
    options: for the loader; the streaming one takes those of `volstream.load`, and `prefetch=False`: no headers are
        asked for beforehand, each image is loaded by itself, and the volume comes back complete.

    When it returns, shape, type, geometry and memory are there; `volume.load()` loads, `.first` of what that returns
    is there with the first slice, itself with the last. The cache owns the volume, and everyone who asks for the id
    gets this one: `with volstream.cache.pin(volume_id)` keeps it from being evicted while nobody loads it.
    Raises as `volstream.load` does; ResourceError, before anything is allocated, if the cache has no room.
    """
    loader = volume_loaders.find(VolumeId.parse(volume_id).scheme)
    return cache.get_or_make(volume_id, lambda: loader(volume_id, image_ids, **options))


async def create_volume_async(volume_id: str, image_ids: Any = (), **options: Any) -> Volume:
    """As `create_volume`, under asyncio; the volume loads on a loop of its own."""
    return await asyncio.to_thread(create_volume, volume_id, image_ids, **options)


def volume_from_images(volume_id: str, images: Iterable[Image | str], **options: Any) -> Volume:
    """As `create_volume`, from images and imageIds. What is given or cached is copied without a request, and there at
    once; `load` fetches the rest. The geometry is planned from the headers, as always."""
    VolumeId.parse(volume_id)
    return cache.get_or_make(volume_id, lambda: _stream(volume_id, list(images), options))


def stream_volume(volume_id: str, image_ids: Any, /, *, prefetch: bool = True, **options: Any) -> Volume:
    """The built-in volume loader."""
    if isinstance(image_ids, Iterator):
        image_ids = list(image_ids)
    if not prefetch:
        return _stream(volume_id, _only_ids(image_ids), options, prefetch=False)
    if (ids := _image_ids(image_ids)) is not None:
        return _stream(volume_id, ids, options)
    plan, fetch, engine, disk = split_options(options)
    source, keeper = open_source(image_ids, fetch), keeper_for(disk, plan)
    return open_on_thread(source, plan, engine, keeper, _admission(volume_id))[0]


def load_without_headers(source: Any, options: dict[str, Any]) -> Volume:
    """What `load(source, prefetch=False)` does."""
    return assemble(None, load_each(_only_ids(source), **options), split_options(options)[0])


def assemble(volume_id: str | None, images: Iterable[Image], options: PlanOptions) -> Volume:
    """A complete volume out of images. Raises GeometryError and so on where they do not form one."""
    by_frame = _by_frame(images)
    # Images are in the units that they were loaded in.
    plan = build_plan([image.header() for image in by_frame.values()], replace(options, units=None))
    metadata = plan.metadata | {"quality": FULL}
    segment = Segment.create(
        plan.shape, plan.dtype, metadata, slices=len(plan.slots), fill=plan.fill, admit=_admission(volume_id)
    )
    records = [slot.record for slot in plan.slots]
    volume = Volume(segment, Finished(segment), geometry=plan.geometry, records=records)
    try:
        _place(volume, by_frame)
    except BaseException as error:
        volume.close()
        if isinstance(error, ValueRangeError) and options.dtype is None:
            return assemble(volume_id, by_frame.values(), replace(options, dtype="int32"))
        raise
    return volume


def _stream(volume_id: str, images: Sequence[Image | str], options: dict[str, Any], *, prefetch: bool = True) -> Volume:
    """A volume in which the images that are given, or cached, are in place already."""
    if not images:
        raise UsageError(f"{volume_id!r} is not cached: to make it takes image_ids")
    plan, fetch, engine, disk = split_options(options)
    there: list[Image] = []
    alone: list[str] = []
    rest: list[str] = []
    for each in images:
        image = each if isinstance(each, Image) else cache.find(each)
        is_stored = isinstance(each, Image) or (image is not None and image.units not in MEASURES)
        if image is not None and image.state == FULL and is_stored and _is_as_planned(image, plan):
            there.append(image)
        elif isinstance(each, Image):
            raise UsageError(
                f"an image of {each.pixels.dtype} {each.units} in state {each.state} cannot become part of this volume",
                uid=each.uid or None,
            )
        else:
            is_dicom = image_loaders.is_built_in(ImageId.parse(each).scheme)
            (rest if prefetch and is_dicom else alone).append(each)
    there += load_each(alone, **options)
    if not rest:
        return assemble(volume_id, there, plan)
    given = _by_frame(there)

    def complete(records: list[FrameRecord]) -> list[FrameRecord]:
        missing = [record for record in records if _frame_of(record) not in given]
        return [image.header() for image in given.values()] + missing

    # What is made of images at hand is not looked for on disk, nor kept there: where they are from is not known.
    keeper = None if given else keeper_for(disk, plan)
    source = FilteredSource(open_source(rest, fetch), complete) if given else open_source(rest, fetch)
    volume, _ = open_on_thread(source, plan, engine, keeper, _admission(volume_id))
    try:
        _place(volume, given)
    except BaseException:
        volume.close()
        raise
    return volume


def _frame_of(record: FrameRecord) -> tuple[str, int]:
    return record.uid or record.address, record.frame


def _by_frame(images: Iterable[Image]) -> dict[tuple[str, int], Image]:
    """Each image once, though it may be given twice."""
    frames: dict[tuple[str, int], Image] = {}
    for image in images:
        kept = frames.setdefault(_frame_of(image.header()), image)
        if kept is not image and not np.array_equal(kept.pixels, image.pixels):
            raise DamagedError("two different images have this UID", uid=image.uid or None)
    return frames


def _place(volume: Volume, images: Mapping[tuple[str, int], Image]) -> None:
    """Copy images to the slices that were planned for them; where no image lies, say so."""
    with contextlib.closing(volume.segment.writer()) as writer:
        for index in np.flatnonzero(volume.segment.states == PENDING).tolist():  # none, if it was kept on disk
            record = volume.record(index)
            if record is None:
                writer.fail(index)
            elif (image := images.get(_frame_of(record))) is not None:
                low, high = extremes(image.pixels)
                limits = None if volume.dtype.kind == "f" else np.iinfo(volume.dtype)
                if limits is not None and not (limits.min <= low and high <= limits.max):
                    message = f"pixels from {low:g} to {high:g} do not fit {volume.dtype}"
                    raise ValueRangeError(message, uid=record.uid, index=index, address=record.address)
                writer.put(index, np.ascontiguousarray(image.pixels, volume.dtype), FULL, low, high)


def _is_as_planned(image: Image, options: PlanOptions) -> bool:
    """Whether its pixels are exactly what would be decoded: whole numbers are, others if they were not rounded anew."""
    if options.units is not None:  # asked for of stored values, which are fetched again
        return False
    if image.pixels.dtype.kind != "f":
        return True
    return image.pixels.dtype == (options.dtype or build_plan([image.header()], options).dtype)


def _admission(volume_id: str | None) -> Callable[[Layout], object] | None:
    if volume_id is None:
        return None
    return lambda layout: cache.admit(layout.total_size, volume_id)


def _image_ids(source: Any) -> list[str] | None:
    """A list of imageIds; None if it is something else."""
    if isinstance(source, (str, bytes, bytearray)) or not isinstance(source, (Sequence, Set)):
        return None
    try:
        return [ImageId.parse(item).text for item in source]
    except UsageError:
        return None


def _only_ids(source: Any) -> list[str]:
    ids = _image_ids(source)
    if ids is None:
        raise UsageError("prefetch=False takes a list of imageIds")
    return ids
