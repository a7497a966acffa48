"""Enhanced multi-frame objects: functional groups become flat attributes of each frame. PS3.3 C.7.6.16."""

from __future__ import annotations

from volstream.errors import DamagedError
from volstream.headers.values import Attributes, items


def from_groups(attributes: Attributes, count: int) -> list[Attributes]:
    """Per-frame groups win over shared ones, and both over the instance's own attributes."""
    groups = items(attributes, "PerFrameFunctionalGroupsSequence")
    if groups and len(groups) < count:
        raise DamagedError(f"{len(groups)} per-frame functional groups for {count} frames")
    common = {keyword: value for keyword, value in attributes.items() if not keyword.endswith("GroupsSequence")}
    for group in items(attributes, "SharedFunctionalGroupsSequence")[:1]:
        common |= flatten(group)
    return [common | flatten(group) for group in groups[:count]] if groups else [common] * count


def flatten(group: Attributes) -> Attributes:
    """The attributes of a group's macros, each of which is a sequence of one item."""
    flat: Attributes = {}
    for keyword, value in group.items():
        if isinstance(value, list):
            if value:
                flat |= flatten(value[0])
        else:
            flat[keyword] = value
    return flat
