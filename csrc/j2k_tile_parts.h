// j2k_tile_parts.h - where the tile-parts of a codestream with one tile are, and what their headers say.
#pragma once

#include "j2k_markers.h"

#include <vector>

namespace vs {

// One tile-part, as far as the data reach.
struct TilePart {
    uint64_t begin = 0;        // where its SOT marker is
    uint64_t end = 0;          // 0 if nothing tells
    uint64_t first_packet = 0; // behind its SOD marker; 0 if the data end before
    bool is_seen = false;      // its SOT marker segment is there
    unsigned index = 0;        // TPsot
    unsigned announced = 0;    // TNsot: how many parts the tile has; 0 if this one does not tell
    bool is_plain = true;      // nothing seen in its header changes packets' order, or takes their headers elsewhere
};

// Reads the tile-part at `begin`, where the data may have ended before; `listed` is its length by TLM, or 0. False if
// it contradicts that, or itself.
bool read_tile_part(const J2kHeader &header, uint64_t begin, uint32_t listed, TilePart &part) noexcept;

struct TileParts {
    std::vector<TilePart> known; // those whose end is known, from the first on without a gap
    size_t total = 0;            // of the codestream; 0 if nothing tells
};

// Follows the lengths in TLM (A.7.1) and SOT (A.4.2) markers. Nothing is known if they contradict each other.
TileParts read_tile_parts(const J2kHeader &header);

// The packet lengths that a tile-part's header lists; empty if it lists none, or not all. A.7.3
std::vector<uint64_t> read_plt(const J2kHeader &header, const TilePart &part);

} // namespace vs
