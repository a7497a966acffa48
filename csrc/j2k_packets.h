// j2k_packets.h - the packets of a codestream that is ordered by resolution, found by their headers. ISO 15444-1 B.9 to
// B.12, ISO 15444-15 Annex B.
#pragma once

#include "j2k_markers.h"

#include <vector>

namespace vs {

// How many packets make up a resolution, counted from the lowest: precincts by components by layers.
uint64_t packets_of(const J2kHeader &header, unsigned resolution);

struct J2kPackets {
    struct Run {
        uint64_t begin, end;
    };
    std::vector<Run> runs;           // packets that are there in full, from the first on; one run a tile-part
    uint64_t whole = 0;              // how many
    uint64_t ends[VS_RESOLUTIONS]{}; // by `reduce`: where the last packet that it needs ends; 0 if that is not known
    bool is_sound = true;            // false if headers contradict each other or themselves
};

// Follows the packets as far as the data reach. The codestream must be is_resolution_major.
J2kPackets read_packets(const J2kHeader &header);

} // namespace vs
