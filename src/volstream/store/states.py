"""What a slice, and a load as a whole, can be."""

from __future__ import annotations

#: Slice states: nothing yet; a neighbour's image, not the next one's; between two neighbours' images; the next
#: neighbour's; the image at reduced resolution; a lossy version of it; the image; none, and it stays so.
PENDING, FAR_REPLICATE, INTERPOLATED, ADJACENT_REPLICATE, SUB_RESOLUTION, LOSSY, FULL, FAILED = 0, 1, 2, 3, 6, 7, 8, 255
STATES = (PENDING, FAR_REPLICATE, INTERPOLATED, ADJACENT_REPLICATE, SUB_RESOLUTION, LOSSY, FULL, FAILED)

#: How the load as a whole stands; the segment's header holds the position in this tuple.
ACTIVITIES = ("idle", "loading", "complete", "partial", "cancelled")
#: After these no slice changes any more, unless somebody asks for it.
ENDED = ACTIVITIES[2:]
