// huffman.h - the entropy coding of JPEG lossless: Huffman-coded categories, then the bits of a difference.
// ISO 10918-1 Annex C, F.2.2, H.1.2.2.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vs {

class HuffmanTable {
public:
    // Reads the counts and values of one table (B.2.4.2, after the byte with its slot); returns what follows it.
    const uint8_t *read(const uint8_t *at, const uint8_t *end);

    struct Code {
        uint8_t length;   // of the code; 0: no such code, or a longer one
        uint8_t category; // SSSS, 0 to 16
        uint8_t total;    // bits with those of the difference
    };

    Code find(uint64_t bits) const { // `bits` left-aligned
        const Code code = short_[bits >> (64 - short_bits)];
        return code.length ? code : find_long(bits);
    }

private:
    static constexpr unsigned short_bits = 12;

    Code find_long(uint64_t bits) const;

    Code short_[1 << short_bits];
    uint32_t limit_[17]; // first left-aligned 16-bit word beyond the codes of each length
    uint32_t offset_[17]; // value index of a code, less the code
    uint8_t values_[256];
};

// Bits of one entropy-coded segment, with the stuffing removed beforehand so that reading needs no tests.
class BitReader {
public:
    // Takes the segment at `at`; returns the marker that ends it, or `end`. At most `row_samples` are decoded
    // between two calls of is_past_end.
    const uint8_t *fill(const uint8_t *at, const uint8_t *end, size_t row_samples);

    // The next `count` differences, modulo 2^16; false if there was a code that the table lacks.
    bool differences(const HuffmanTable &table, uint16_t *out, size_t count);

    // True if more bits were taken than there are.
    bool is_past_end() const { return position_ > size_; }

private:
    const uint8_t *bytes_ = nullptr; // in the thread's scratch
    uint64_t position_ = 0, size_ = 0; // bits
};

} // namespace vs
