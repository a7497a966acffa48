"""Records in, plan out: the stages in order."""

from __future__ import annotations

from collections.abc import Sequence

from volstream.plan.geometry import line_up, locate
from volstream.plan.metadata import describe
from volstream.plan.model import Geometry, Slot, VolumePlan
from volstream.plan.options import PlanOptions
from volstream.plan.stacks import choose, is_placed
from volstream.plan.suv import in_suv
from volstream.plan.time import arrange
from volstream.plan.values import decide, rescale_of
from volstream.records import IDENTITY, Finding, FrameRecord


def build_plan(records: Sequence[FrameRecord], options: PlanOptions | None = None) -> VolumePlan:
    """Decide what will be built from the headers of a series.

    The result does not depend on the order of `records`. Raises GeometryError where they do not form one volume
    and no policy says what to do, UnsupportedError, DamagedError, SourceError (no image), UsageError (options).
    """
    options = options or PlanOptions()
    stack, dropped = choose(records, options)
    converted: tuple[Finding, ...] = ()
    if options.units is not None:
        stack, found = in_suv(stack, records, options.units)
        converted = (found,)
    grid = locate(stack, options) if is_placed(stack[0]) else line_up(stack)
    timeline = arrange(stack, grid, options)
    used = [record for row in timeline.frames for record in row if record is not None]
    values = decide(used, options)
    slots = tuple(
        Slot(record, IDENTITY if record is None else rescale_of(record)) for row in timeline.frames for record in row
    )
    pixel = used[0].pixel
    shape = (grid.count, pixel.rows, pixel.columns) + ((3,) if values.is_colour else ())
    if len(timeline.frames) > 1:
        shape = (len(timeline.frames), *shape)
    geometry = Geometry(
        grid.affine, dropped + converted + grid.findings + timeline.findings + values.findings, is_placed=grid.is_placed
    )
    metadata = describe(slots, geometry, values.units, timeline.labels)
    return VolumePlan(shape, values.dtype, geometry, values.units, slots, values.fill, metadata)
