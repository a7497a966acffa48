#include "j2k_resolutions.h"

#include <algorithm>
#include <vector>

namespace vs {

namespace {

uint64_t ceil_shift(uint64_t value, unsigned shift) { return (value + (uint64_t(1) << shift) - 1) >> shift; }

// How many packets make up a resolution, counted from the lowest: precincts by components by layers. B.6, B.9
uint64_t packets_of(const J2kHeader &header, unsigned resolution) {
    const unsigned drop = header.levels - resolution, exponents = header.precinct_exponents[resolution];
    const uint64_t across = ceil_shift(ceil_shift(header.columns, drop), exponents & 15);
    const uint64_t down = ceil_shift(ceil_shift(header.rows, drop), exponents >> 4);
    constexpr uint64_t most = uint64_t(1) << 32; // far more than any stream has; nothing overflows below
    return (across > most / down ? most : across * down) * header.components * header.layers;
}

// The lengths of the only tile's parts that the main header lists; empty if it does not, or wrongly.
std::vector<uint32_t> read_tlm(const J2kHeader &header) {
    std::vector<uint32_t> lengths;
    unsigned markers = 0;
    // Every segment up to the first SOT was walked before: its bounds hold.
    for (size_t at = 2; at < header.first_tile; at += 2 + big16(header.data + at + 2)) {
        if (big16(header.data + at) != TLM)
            continue;
        const uint8_t *entry = header.data + at + 4;
        size_t left = big16(header.data + at + 2) - 2;
        if (left < 2 || entry[0] != markers++)
            return {};
        const unsigned index_bytes = entry[1] >> 4 & 3, length_bytes = entry[1] & 0x40 ? 4 : 2;
        const size_t step = index_bytes + length_bytes;
        if (index_bytes == 3 || (left - 2) % step != 0)
            return {};
        for (entry += 2, left -= 2; left != 0; entry += step, left -= step) {
            const uint32_t tile = index_bytes == 2   ? big16(entry)
                                  : index_bytes == 1 ? entry[0]
                                                     : uint32_t(lengths.size()); // the parts are whole tiles
            const uint8_t *length = entry + index_bytes;
            if (tile != 0)
                return {};
            lengths.push_back(length_bytes == 4 ? big32(length) : big16(length));
        }
    }
    return lengths;
}

// One tile-part, as far as the data reach.
struct TilePart {
    uint64_t begin = 0;        // where its SOT marker is
    uint64_t end = 0;          // 0 if nothing tells
    uint64_t first_packet = 0; // behind its SOD marker; 0 if the data end before
    unsigned announced = 0;    // TNsot: how many parts the tile has; 0 if this one does not tell
    bool is_plain = true;      // nothing seen in its header changes packets' order, or takes their headers elsewhere
};

// Reads the tile-part at `begin`, where the data may have ended before; `listed` is its length by TLM, or 0. False if
// it contradicts that, or itself.
bool read_tile_part(const J2kHeader &header, uint64_t begin, uint32_t listed, TilePart &part) noexcept {
    constexpr uint32_t shortest = 14; // SOT and SOD
    const uint8_t *data = header.data;
    const uint64_t size = header.size;
    part.begin = begin;
    if (listed != 0)
        part.end = begin + listed;
    if (begin > size || size - begin < 12)
        return listed == 0 || listed >= shortest;
    const uint32_t length = big32(data + begin + 6); // Psot, 0: up to EOC
    if (big16(data + begin) != SOT || big16(data + begin + 2) != 10 || big16(data + begin + 4) != 0)
        return false;
    if ((length != 0 && length < shortest) || (listed != 0 && length != 0 && length != listed))
        return false;
    if (length != 0)
        part.end = begin + length;
    part.announced = data[begin + 11];
    for (uint64_t at = begin + 12; size - at >= 2;) {
        const unsigned marker = big16(data + at);
        if (marker == SOD) {
            part.first_packet = at + 2;
            return part.end == 0 || part.first_packet <= part.end;
        }
        if (size - at < 4)
            break;
        const size_t segment = big16(data + at + 2);
        if (marker < 0xFF00 || segment < 2)
            return false;
        if (segment > size - at - 2)
            break;
        if (marker == COD || marker == COC || marker == POC || marker == PPT)
            part.is_plain = false;
        at += 2 + segment;
    }
    return true;
}

// The packet lengths that a tile-part's header lists; empty if it lists none, or not all. A.7.3
std::vector<uint64_t> read_plt(const J2kHeader &header, const TilePart &part) {
    std::vector<uint64_t> lengths;
    uint64_t sum = part.first_packet;
    unsigned markers = 0;
    for (uint64_t at = part.begin + 12; at + 2 < part.first_packet; at += 2 + big16(header.data + at + 2)) {
        if (big16(header.data + at) != PLT)
            continue;
        const uint8_t *byte = header.data + at + 4, *const end = header.data + at + 2 + big16(header.data + at + 2);
        if (byte == end || *byte++ != markers++)
            return {};
        while (byte != end) {
            uint64_t length = *byte & 0x7F;
            while (*byte & 0x80) {
                if (++byte == end || length >> 32 != 0)
                    return {};
                length = length << 7 | (*byte & 0x7F);
            }
            ++byte;
            lengths.push_back(length);
            sum += length;
        }
    }
    if (sum != part.end)
        lengths.clear();
    return lengths;
}

struct TileParts {
    std::vector<TilePart> known; // those whose end is known, from the first on without a gap
    size_t total = 0;            // of the codestream; 0 if nothing tells
};

// Nothing is known if the markers contradict each other.
TileParts read_tile_parts(const J2kHeader &header) {
    const std::vector<uint32_t> listed = read_tlm(header);
    TileParts parts;
    parts.total = listed.size();
    for (uint64_t at = header.first_tile;;) {
        const size_t index = parts.known.size();
        if (parts.total != 0 && index == parts.total)
            return parts;
        TilePart part;
        if (!read_tile_part(header, at, listed.empty() ? 0 : listed[index], part) || !part.is_plain)
            return {};
        if (part.announced != 0) {
            if (part.announced <= index || (parts.total != 0 && parts.total != part.announced))
                return {};
            parts.total = part.announced;
        }
        if (part.end == 0)
            return parts;
        at = part.end;
        parts.known.push_back(part);
    }
}

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

} // namespace

bool is_resolution_major(const J2kHeader &header) noexcept {
    const bool in_order = header.progression == RPCL || header.progression == RLCP ||
                          (header.progression == LRCP && header.layers == 1);
    if (!in_order || !header.is_plain || !header.uniform || header.tiles != 1 || header.layers == 0 ||
        header.levels >= VS_RESOLUTIONS || header.x0 != 0 || header.y0 != 0)
        return false;
    TilePart first;
    return header.first_tile == 0 || (read_tile_part(header, header.first_tile, 0, first) && first.is_plain);
}

uint32_t resolution_ends(const uint8_t *data, size_t size, uint64_t *ends) {
    std::fill(ends, ends + VS_RESOLUTIONS, 0);
    J2kHeader header;
    if (!read_j2k_header(data, size, header) || header.levels >= VS_RESOLUTIONS)
        return 0;
    const uint32_t count = header.levels + 1u;
    if (header.first_tile == 0 || !is_resolution_major(header))
        return count;
    const TileParts parts = read_tile_parts(header);
    // COD, COC or POC could still follow in the first header.
    if (parts.known.empty() || parts.known[0].first_packet == 0)
        return count;
    if (parts.total == count)
        ends_by_tile_parts(header, parts, ends);
    else
        ends_by_packets(header, parts, ends);
    const bool is_whole = parts.total != 0 && parts.total == parts.known.size();
    ends[0] = is_whole ? parts.known.back().end + 2 : 0;
    const auto boxes = uint64_t(header.data - data); // in front of the codestream in a JP2 file
    for (uint64_t *end = ends; end != ends + count; ++end)
        *end += *end != 0 ? boxes : 0;
    return count;
}

} // namespace vs
