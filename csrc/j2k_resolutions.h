// j2k_resolutions.h - how much of a JPEG 2000 or HTJ2K codestream each resolution needs, as far as markers tell.
#pragma once

#include "j2k_markers.h"

namespace vs {

// Whether every resolution is complete before the next one begins, so that a prefix is a smaller image: one tile,
// packets in order of resolution (RPCL, RLCP, or LRCP with a single layer), nothing that changes the order midway.
// Components must be of full size, and the image at the origin, else its low bands are not every 2^r-th sample.
bool is_resolution_major(const J2kHeader &header) noexcept;

// ends[r]: how many bytes of the data hold all that a decode with `reduce` r reads; 0 where the markers do not tell.
// They do by the lengths of tile-parts that are one resolution each (TLM, A.7.1, or the SOT markers themselves, A.4.2),
// or by those of packets (PLT, A.7.3). ends[0] is the whole codestream, with its EOC.
// Returns how many there are; 0 if the data are no such codestream.
uint32_t resolution_ends(const uint8_t *data, size_t size, uint64_t *ends);

} // namespace vs
