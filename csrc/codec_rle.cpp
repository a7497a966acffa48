// RLE Lossless, PS3.5 Annex G: one PackBits segment for each byte of each sample, most significant bytes first.
#include "codec.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace vs {
namespace {

constexpr size_t header_bytes = 64; // a count, then room for 15 offsets

uint32_t little_endian(const uint8_t *p) {
    return p[0] | p[1] << 8 | p[2] << 16 | static_cast<uint32_t>(p[3]) << 24;
}

// Hands out a segment's bytes. Encoders end runs with each row, or ought to: those that cross rows are read too.
class Segment {
public:
    Segment(const uint8_t *begin, const uint8_t *end) : at_(begin), end_(end) {}

    void read(uint8_t *out, size_t count) {
        while (count) {
            if (!literal_ && !repeat_)
                next();
            const size_t n = std::min(count, literal_ + repeat_);
            if (literal_) {
                std::memcpy(out, at_, n);
                at_ += n;
                literal_ -= n;
            } else {
                std::memset(out, value_, n);
                repeat_ -= n;
            }
            out += n;
            count -= n;
        }
    }

    // Nothing but padding is left.
    bool is_done() const {
        return !literal_ && !repeat_ && std::all_of(at_, end_, [](uint8_t byte) { return byte == 0 || byte == 128; });
    }

private:
    void next() { // PS3.5 G.3.2
        const auto left = [this] { return static_cast<size_t>(end_ - at_); };
        uint8_t control = 128; // no operation
        while (control == 128) {
            if (!left())
                fail(VS_TRUNCATED, "an RLE segment ends before the frame does");
            control = *at_++;
        }
        const size_t needed = control < 128 ? control + size_t{1} : 1;
        if (left() < needed)
            fail(VS_TRUNCATED, "an RLE segment ends within a run");
        if (control < 128) {
            literal_ = needed;
        } else {
            repeat_ = size_t{257} - control;
            value_ = *at_++;
        }
    }

    const uint8_t *at_, *end_;
    size_t literal_ = 0, repeat_ = 0;
    uint8_t value_ = 0;
};

std::vector<Segment> segments_of(const Encoded &e, size_t wanted) {
    if (e.size < header_bytes)
        fail(VS_TRUNCATED, "%zu bytes of an RLE header of 64", e.size);
    const uint32_t count = little_endian(e.data);
    if (count != wanted)
        fail(VS_MISMATCH, "%u RLE segments; the metadata make %zu", count, wanted);
    std::vector<Segment> segments;
    size_t begin = little_endian(e.data + 4);
    for (size_t i = 0; i < wanted; ++i) {
        const size_t end = i + 1 < wanted ? little_endian(e.data + 4 * (i + 2)) : e.size;
        if (begin > e.size || end > e.size)
            fail(VS_TRUNCATED, "RLE segment %zu lies at bytes %zu to %zu of %zu", i, begin, end, e.size);
        if (begin < header_bytes || end < begin)
            fail(VS_CORRUPT, "RLE segment %zu lies at bytes %zu to %zu", i, begin, end);
        segments.emplace_back(e.data + begin, e.data + end);
        begin = end;
    }
    return segments;
}

void decode(const Encoded &e, Sink &sink) {
    const size_t samples = e.frame.samples_per_pixel, bytes = e.frame.bits_allocated / 8;
    if (bytes != 1 && bytes != 2 && bytes != 4)
        fail(VS_UNSUPPORTED, "RLE of %u bits allocated", e.frame.bits_allocated);
    std::vector<Segment> segments = segments_of(e, samples * bytes);

    const Sample type = bytes == 1 ? Sample::u8 : bytes == 2 ? Sample::u16 : Sample::u32;
    const size_t columns = e.columns;
    std::vector<uint8_t> parts(columns * bytes), cells(columns * bytes * samples);
    Plane planes[3];
    for (size_t s = 0; s < samples; ++s)
        planes[s] = {cells.data() + s * columns * bytes, type, 1};

    for (uint32_t y = 0; y < e.rows; ++y) {
        for (size_t s = 0; s < samples; ++s) {
            uint8_t *row = cells.data() + s * columns * bytes;
            Segment *segment = &segments[s * bytes];
            if (bytes == 1) {
                segment->read(row, columns);
                continue;
            }
            for (size_t b = 0; b < bytes; ++b)
                segment[b].read(parts.data() + b * columns, columns);
            const uint8_t *part = parts.data();
            if (bytes == 2) {
                for (size_t x = 0; x < columns; ++x) {
                    const auto cell = static_cast<uint16_t>(part[x] << 8 | part[columns + x]);
                    std::memcpy(row + 2 * x, &cell, 2);
                }
            } else {
                for (size_t x = 0; x < columns; ++x) {
                    const uint32_t cell = static_cast<uint32_t>(part[x]) << 24 | part[columns + x] << 16 |
                                          part[2 * columns + x] << 8 | part[3 * columns + x];
                    std::memcpy(row + 4 * x, &cell, 4);
                }
            }
        }
        sink.row(y, planes);
    }
    for (const Segment &segment : segments)
        if (!segment.is_done())
            fail(VS_MISMATCH, "an RLE segment holds more than the %u rows of %u", e.rows, e.columns);
}

} // namespace

const Codec rle_codec{{"rle", "volstream", "", "", "own", 32}, decode, nullptr};

} // namespace vs
