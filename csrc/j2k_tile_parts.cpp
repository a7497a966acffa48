#include "j2k_tile_parts.h"

namespace vs {

namespace {

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

} // namespace

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
    part.is_seen = true;
    part.index = data[begin + 10];
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

TileParts read_tile_parts(const J2kHeader &header) {
    const std::vector<uint32_t> listed = read_tlm(header);
    TileParts parts;
    parts.total = listed.size();
    for (uint64_t at = header.first_tile;;) {
        const size_t index = parts.known.size();
        if (parts.total != 0 && index == parts.total)
            return header.size >= 2 && at <= header.size - 2 && big16(header.data + at) == SOT ? TileParts{} : parts;
        TilePart part;
        if (!read_tile_part(header, at, listed.empty() ? 0 : listed[index], part) || !part.is_plain)
            return {};
        if (part.is_seen && part.index != index)
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

} // namespace vs
