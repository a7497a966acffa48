// RLE Lossless, PS3.5 Annex G: one PackBits segment for each byte of each sample, most significant bytes first.
#include "codec.h"
#include "rows.h"
#include "scratch.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace vs {
namespace {

constexpr size_t header_bytes = 64; // a count, then room for 15 offsets

uint32_t little_endian(const uint8_t *p) {
    return p[0] | p[1] << 8 | p[2] << 16 | static_cast<uint32_t>(p[3]) << 24;
}

constexpr size_t step = 16;   // bytes copied at once
constexpr size_t slack = step; // room behind what is read for the rest of a step

// Hands out a segment's bytes. Encoders end runs with each row, or ought to: those that cross rows are read too.
class Segment {
public:
    Segment(const uint8_t *begin, const uint8_t *end) : at_(begin), end_(end) {}

    // Also writes anything to the `slack` behind.
    void read(uint8_t *out, size_t count) {
        while (count) {
            if (!literal_ && !repeat_) {
                const size_t n = read_runs(out, count);
                out += n;
                count -= n;
                if (!count)
                    return;
                next();
            }
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
    // Whole runs, as far as neither the data nor the room for them is near its end; returns how many bytes that made.
    size_t read_runs(uint8_t *out, size_t count) {
        constexpr ptrdiff_t most = 1 + 128 + step;
        size_t done = 0;
        while (end_ - at_ >= most) {
            const uint8_t control = *at_;
            const bool is_repeat = control > 127;
            const size_t n = is_repeat ? size_t{257} - control : control + size_t{1};
            if (n > count - done)
                break;
            if (n <= step) { // in noise, whether it is a repetition cannot be foreseen: no branch
                uint64_t bytes[2];
                std::memcpy(bytes, at_ + 1, step);
                const uint64_t mask = uint64_t{0} - is_repeat, repeated = at_[1] * 0x0101010101010101u & mask;
                bytes[0] = (bytes[0] & ~mask) | repeated;
                bytes[1] = (bytes[1] & ~mask) | repeated;
                std::memcpy(out + done, bytes, step);
            } else if (control == 128) { // no operation
                ++at_;
                continue;
            } else if (is_repeat) {
                std::memset(out + done, at_[1], n);
            } else {
                for (size_t i = 0; i < n; i += step)
                    std::memcpy(out + done + i, at_ + 1 + i, step);
            }
            at_ += is_repeat ? 2 : n + 1;
            done += n;
        }
        return done;
    }

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
    const Weave weave = bytes == 1 ? nullptr : weave_for(bytes);
    const size_t columns = e.columns, row_bytes = columns * bytes;
    uint8_t *cells = scratch(SCRATCH_SAMPLES, row_bytes * samples + slack);
    uint8_t *parts = scratch(SCRATCH_STREAM, row_bytes + slack);
    Plane planes[3];
    for (size_t s = 0; s < samples; ++s)
        planes[s] = {cells + s * row_bytes, type, 1};

    for (uint32_t y = 0; y < e.rows; ++y) {
        for (size_t s = 0; s < samples; ++s) {
            uint8_t *row = cells + s * row_bytes;
            for (size_t b = 0; b < bytes; ++b) // what one writes too much is overwritten by the next
                segments[s * bytes + b].read(weave ? parts + b * columns : row, columns);
            if (weave)
                weave(parts, row, columns);
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
