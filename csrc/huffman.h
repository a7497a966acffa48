// huffman.h - the entropy coding of JPEG lossless: Huffman-coded categories, then the bits of a difference.
// ISO 10918-1 Annex C, F.2.2, H.1.2.2.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vs {

// Bits of an entropy-coded segment on their way through a register: cheap to copy, so that loops keep it in registers.
struct Bits {
    uint64_t next = 0;            // from the highest bit on; those beyond `count` may be set already
    unsigned count = 0;           // how many of them are good, at most 63
    const uint8_t *at = nullptr;  // what follows them

    // At least 56 good bits. Reads 8 bytes.
    void refill() {
        next |= word() >> count;
        at += (63 - count) >> 3;
        count |= 56;
    }

    void take(unsigned bits) { // fewer than 57
        next <<= bits;
        count -= bits;
    }

private:
    uint64_t word() const { // big endian; compilers make one load and one swap of it
        return uint64_t{at[0]} << 56 | uint64_t{at[1]} << 48 | uint64_t{at[2]} << 40 | uint64_t{at[3]} << 32 |
               uint64_t{at[4]} << 24 | uint64_t{at[5]} << 16 | uint64_t{at[6]} << 8 | at[7];
    }
};

class HuffmanTable {
public:
    // Reads the counts and values of one table (B.2.4.2, after the byte with its slot); returns what follows it.
    const uint8_t *read(const uint8_t *at, const uint8_t *end);

    // What the next bits mean. The low six bits: how many of them are a code and its difference, 28 at most; 0 if only
    // `take_long` can tell. The high half: the difference, if is_whole; else the largest of its category, and from bit
    // 8 on is how many bits are the code.
    uint32_t look_up(const Bits &bits) const { return entries_[bits.next >> (64 - key_bits)]; }
    static constexpr uint32_t is_whole = 64;
    static constexpr unsigned most_bits = 28;

    // Its difference, modulo 2^16: a number of as many bits; those that start with 0 stand for negative ones, F.2.2.1.
    static unsigned difference(uint32_t entry, uint64_t next) {
        const unsigned own = (entry & 63) - (entry >> 8 & 63);
        const uint64_t value = next << (entry >> 8 & 63);
        const auto is_positive = static_cast<uint32_t>(static_cast<int64_t>(value) >> 63);
        return static_cast<uint32_t>(value >> 1 >> (~own & 63)) - (~is_positive & entry >> 16);
    }

    struct Taken {
        Bits bits; // refilled
        uint16_t difference;
        bool is_good; // false: no such code
    };
    Taken take_long(Bits bits) const;

private:
    double wide_share(const uint8_t *counts) const;
    void enter(uint32_t code, unsigned length, unsigned category, bool may_be_whole);

    static constexpr unsigned key_bits = 12;

    uint32_t entries_[1 << key_bits];
    uint32_t limit_[17];  // first left-aligned 16-bit word beyond the codes of each length
    uint32_t offset_[17]; // value index of a code, less the code
    uint8_t values_[256];
};

// One entropy-coded segment, with the stuffing removed beforehand and zeros added so that reading needs no tests.
class EntropySegment {
public:
    // Takes the segment at `at`; returns the marker that ends it, or `end`. At most `row_samples` are decoded
    // between two calls of is_past_end.
    const uint8_t *fill(const uint8_t *at, const uint8_t *end, size_t row_samples);

    Bits bits;

    // True if more bits were taken than there are.
    bool is_past_end() const { return 8 * static_cast<uint64_t>(bits.at - bytes_) - bits.count > size_; }

private:
    const uint8_t *bytes_ = nullptr; // in the thread's scratch
    uint64_t size_ = 0;              // bits
};

} // namespace vs
