#include "j2k_markers.h"

#include "j2k_mend.h"
#include "j2k_resolutions.h"
#include "jpeg_markers.h"

#include <cstring>

namespace vs {

namespace {

// Finds the contiguous codestream box of a JP2 file. ISO 15444-1 Annex I.
bool unwrap(const uint8_t *&data, size_t &size) {
    static const uint8_t signature[12] = {0, 0, 0, 12, 'j', 'P', ' ', ' ', '\r', '\n', 0x87, '\n'};
    if (size < 12 || std::memcmp(data, signature, 12) != 0)
        return true;
    size_t at = 12;
    while (size - at >= 8) {
        uint64_t length = big32(data + at);
        size_t head = 8;
        if (length == 1) { // a 64-bit length follows
            if (size - at < 16)
                return false;
            length = uint64_t(big32(data + at + 8)) << 32 | big32(data + at + 12);
            head = 16;
        }
        if (length == 0)
            length = size - at; // to the end of the file
        if (length < head)
            return false;
        if (std::memcmp(data + at + 4, "jp2c", 4) == 0) {
            const size_t there = size - at;
            data += at + head;
            size = (length < there ? size_t(length) : there) - head;
            return true;
        }
        if (length > size - at)
            return false;
        at += size_t(length);
    }
    return false;
}

bool read_size(const uint8_t *body, size_t length, J2kHeader &header) {
    if (length < 36)
        return false;
    const uint32_t x1 = big32(body + 2), y1 = big32(body + 6), x0 = big32(body + 10), y0 = big32(body + 14);
    const uint32_t tile_w = big32(body + 18), tile_h = big32(body + 22);
    const uint32_t tile_x = big32(body + 26), tile_y = big32(body + 30);
    header.components = uint16_t(big16(body + 34));
    if (x1 <= x0 || y1 <= y0 || tile_w == 0 || tile_h == 0 || tile_x > x0 || tile_y > y0)
        return false;
    if (header.components == 0 || length < 36 + 3 * size_t(header.components))
        return false;
    header.x0 = x0;
    header.y0 = y0;
    header.columns = x1 - x0;
    header.rows = y1 - y0;
    const uint64_t tiles =
        ((uint64_t(x1) - tile_x + tile_w - 1) / tile_w) * ((uint64_t(y1) - tile_y + tile_h - 1) / tile_h);
    if (tiles > 65535)
        return false; // Isot has 16 bits
    header.tiles = uint32_t(tiles);
    const uint8_t *component = body + 36;
    header.precision = uint8_t((component[0] & 0x7F) + 1);
    header.is_signed = component[0] >> 7;
    for (unsigned i = 0; i < header.components; ++i, component += 3)
        if (component[0] != body[36] || component[1] != 1 || component[2] != 1)
            header.uniform = false;
    return true;
}

// A.6.1
bool read_coding(const uint8_t *body, size_t length, J2kHeader &header) {
    if (length < 10)
        return false;
    header.may_have_sop = body[0] & 2;
    header.has_eph = body[0] & 4;
    header.progression = body[1];
    header.layers = uint16_t(big16(body + 2));
    header.levels = body[5];
    header.block_exponent_x = uint8_t((body[6] & 15) + 2);
    header.block_exponent_y = uint8_t((body[7] & 15) + 2);
    header.block_style = body[8];
    header.reversible = body[9] == 1;
    if (header.levels > 32) // decoders refuse such a stream, with words of their own
        return true;
    const bool has_precincts = body[0] & 1;
    if (has_precincts && length < 11u + header.levels)
        return false;
    for (unsigned i = 0; i <= header.levels; ++i)
        header.precinct_exponents[i] = has_precincts ? body[10 + i] : 0xFF;
    return true;
}

} // namespace

bool read_j2k_header(const uint8_t *data, size_t size, J2kHeader &header) noexcept {
    if (!unwrap(data, size) || size < 4 || big16(data) != SOC || big16(data + 2) != SIZ)
        return false;
    header.data = data;
    header.size = size = trim_padding(data, size);
    header.ended = big16(data + size - 2) == EOC;
    if (!header.ended && data[size - 1] == 0xFF) // half of one: neither a packet nor its header ends so, B.10.1
        header.size = --size;
    bool coding = false;
    for (size_t at = 2; size - at >= 4;) {
        const unsigned marker = big16(data + at);
        if (marker == SOT) {
            header.first_tile = at;
            break;
        }
        const size_t length = big16(data + at + 2);
        if (marker < 0xFF00 || length < 2 || length > size - at - 2)
            break;
        const uint8_t *body = data + at + 4;
        if (marker == SIZ) {
            if (!read_size(body, length - 2, header))
                return false;
        } else if (marker == CAP) {
            // Pcap bit 15 (counted from the top, 1-based) announces Part 15, ISO 15444-15 A.3
            if (length >= 6 && (big32(body) & 0x00020000u))
                header.high_throughput = true;
        } else if (marker == COD) {
            if (!read_coding(body, length - 2, header))
                return false;
            coding = true;
        } else if (marker == COC || marker == POC || marker == PPM) {
            header.is_plain = false;
        }
        at += 2 + length;
    }
    return header.rows != 0 && coding && header.first_tile != 0;
}

bool is_complete(const J2kHeader &header) noexcept {
    const uint8_t *data = header.data;
    const size_t size = header.size;
    size_t at = header.first_tile;
    unsigned parts = 0, announced = 0;
    while (size - at >= 12 && big16(data + at) == SOT) {
        const size_t length = big32(data + at + 6);
        if (length == 0)
            return header.ended; // the last tile-part: up to EOC, A.4.2
        if (length > size - at)
            return false;
        ++parts;
        if (data[at + 11] != 0)
            announced = data[at + 11];
        at += length;
    }
    if (at + 2 <= size)
        return header.ended || big16(data + at) != SOT;
    // No end marker. That alone loses nothing if it is certain that the only tile is all there.
    return header.tiles == 1 && announced != 0 && parts == announced;
}

J2kHeader begin_j2k(const Encoded &encoded, Sink &sink) {
    J2kHeader header;
    if (!read_j2k_header(encoded.data, encoded.size, header))
        fail(VS_CORRUPT, "not a JPEG 2000 codestream, or its header is cut");
    vs_codestream stream{};
    probe_j2k(encoded.data, encoded.size, stream);
    sink.begin(stream);
    if (!header.uniform)
        fail(VS_UNSUPPORTED, "JPEG 2000 components of different size, precision or sign");
    if (encoded.frame.reduce > header.levels)
        fail(VS_UNSUPPORTED, "the codestream has %d decompositions, cannot drop %d", header.levels,
             encoded.frame.reduce);
    if (is_complete(header))
        return header;
    if (!encoded.frame.allow_truncated)
        fail(VS_TRUNCATED, "the JPEG 2000 codestream ends before its last tile-part does (%zu bytes)", encoded.size);
    return mend_j2k(header);
}

bool probe_j2k(const uint8_t *data, size_t size, vs_codestream &out) {
    J2kHeader header;
    if (!read_j2k_header(data, size, header))
        return false;
    out = vs_codestream{};
    out.codec = uint8_t(header.high_throughput ? VS_CODEC_HTJ2K : VS_CODEC_JPEG_2000);
    out.rows = header.rows;
    out.columns = header.columns;
    out.components = header.components;
    out.precision = header.precision;
    out.is_signed = header.is_signed;
    out.is_lossy = !header.reversible;
    out.is_reversible = header.reversible;
    out.resolutions = header.levels;
    out.layers = header.layers;
    out.is_resolution_major = is_resolution_major(header);
    return true;
}

} // namespace vs
