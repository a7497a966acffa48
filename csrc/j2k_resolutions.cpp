#include "j2k_resolutions.h"

#include "j2k_packets.h"
#include "j2k_tile_parts.h"

#include <algorithm>

namespace vs {

namespace {

// Where every tile-part is one resolution. Encoders divide there, or not at all, or at more places.
void ends_by_tile_parts(const J2kHeader &header, const TileParts &parts, uint64_t *ends) {
    for (unsigned i = 0; i < parts.known.size(); ++i) {
        const TilePart &part = parts.known[i];
        const uint64_t packets = packets_of(header, i); // of at least one byte each
        if (part.end - part.begin < 14 + packets)
            return;
        ends[header.levels - i] = part.end;
    }
}

void ends_by_packets(const J2kHeader &header, const TileParts &parts, uint64_t *ends) {
    unsigned resolution = 0;
    uint64_t left = packets_of(header, 0);
    for (const TilePart &part : parts.known) {
        const std::vector<uint64_t> lengths = read_plt(header, part);
        if (lengths.empty())
            return;
        uint64_t at = part.first_packet;
        for (const uint64_t length : lengths) {
            at += length;
            if (--left != 0)
                continue;
            ends[header.levels - resolution] = at;
            if (resolution == header.levels)
                return;
            left = packets_of(header, ++resolution);
        }
    }
}

// What the packets' own headers say goes before what is listed of them. If the two differ, the list is wrong, or means
// something else.
void merge(const J2kPackets &packets, uint64_t *ends) {
    bool agree = true;
    for (unsigned i = 1; i < VS_RESOLUTIONS; ++i)
        agree &= packets.ends[i] == 0 || ends[i] == 0 || packets.ends[i] == ends[i];
    for (unsigned i = 1; i < VS_RESOLUTIONS; ++i)
        if (packets.ends[i] != 0 || !agree)
            ends[i] = packets.ends[i];
}

} // namespace

bool is_resolution_major(const J2kHeader &header) noexcept {
    const bool in_order = header.progression == RPCL || header.progression == RLCP ||
                          (header.progression == LRCP && header.layers == 1);
    if (!in_order || !header.is_plain || !header.uniform || header.tiles != 1 || header.layers == 0 ||
        header.levels >= VS_RESOLUTIONS || header.x0 != 0 || header.y0 != 0)
        return false;
    // Mixed code-blocks, and HT ones of several layers, nobody writes.
    if ((header.block_style & BLOCK_MIXED) || ((header.block_style & BLOCK_HT) && header.layers != 1))
        return false;
    TilePart first;
    return read_tile_part(header, header.first_tile, 0, first) && first.is_plain;
}

uint32_t resolution_ends(const uint8_t *data, size_t size, uint64_t *ends) {
    std::fill(ends, ends + VS_RESOLUTIONS, 0);
    J2kHeader header;
    if (!read_j2k_header(data, size, header) || header.levels >= VS_RESOLUTIONS)
        return 0;
    const uint32_t count = header.levels + 1u;
    if (!is_resolution_major(header))
        return count;
    TilePart first;
    if (!read_tile_part(header, header.first_tile, 0, first) || first.first_packet == 0)
        return count; // COD, COC or POC could still follow in its header
    const J2kPackets packets = read_packets(header);
    if (!packets.is_sound)
        return count;
    const TileParts parts = read_tile_parts(header);
    if (parts.total == count)
        ends_by_tile_parts(header, parts, ends);
    else
        ends_by_packets(header, parts, ends);
    merge(packets, ends);
    const bool is_whole = parts.total != 0 && parts.total == parts.known.size();
    const uint64_t last = std::max(is_whole ? parts.known.back().end : 0, packets.ends[0]);
    ends[0] = last != 0 ? last + 2 : 0;
    const auto boxes = uint64_t(header.data - data); // in front of the codestream in a JP2 file
    for (uint64_t *end = ends; end != ends + count; ++end)
        *end += *end != 0 ? boxes : 0;
    return count;
}

} // namespace vs
