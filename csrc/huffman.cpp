#include "huffman.h"

#include "codec.h"
#include "scratch.h"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace vs {
namespace {

// A code and a difference take 32 bits at most; a register is filled 8 bytes at a time, up to 8 ahead.
constexpr size_t most_bytes = 4, ahead_bytes = 16;

// The bits of a difference as a number; those that start with 0 stand for negative ones, F.2.2.1. Category 16 is the
// difference 32768 and has no bits of its own, H.1.2.2.
uint16_t difference_of(uint32_t value, unsigned category) {
    const uint32_t half = (uint32_t{1} << category) >> 1;
    return static_cast<uint16_t>(category == 16 ? 32768 : value < half ? value - 2 * half + 1 : value);
}

unsigned own_bits(unsigned category) { return category == 16 ? 0 : category; }

} // namespace

// Everything that the key can be if it starts with this code of up to key_bits.
void HuffmanTable::enter(uint32_t code, unsigned length, unsigned category) {
    const unsigned own = own_bits(category), left = key_bits - length;
    uint32_t *first = entries_ + (code << left);
    if (own > left) { // the length of the code, and its category
        std::fill_n(first, size_t{1} << left, category << 16 | length << 8);
        return;
    }
    const size_t spread = size_t{1} << (left - own);
    for (uint32_t value = 0; value >> own == 0; ++value, first += spread)
        std::fill_n(first, spread, static_cast<uint32_t>(difference_of(value, category)) << 16 | (length + own));
}

const uint8_t *HuffmanTable::read(const uint8_t *at, const uint8_t *end) {
    if (end - at < 16)
        fail(VS_CORRUPT, "a damaged JPEG Huffman table");
    const uint8_t *counts = at;
    size_t total = 0;
    for (int i = 0; i < 16; ++i)
        total += counts[i];
    at += 16;
    if (total > 256 || static_cast<size_t>(end - at) < total)
        fail(VS_CORRUPT, "a damaged JPEG Huffman table");
    if (std::any_of(at, at + total, [](uint8_t category) { return category > 16; }))
        fail(VS_CORRUPT, "a JPEG Huffman table that is not for lossless coding");
    std::copy(at, at + total, values_);

    std::fill(std::begin(entries_), std::end(entries_), 0);
    uint32_t code = 0, index = 0;
    limit_[0] = 0;
    for (unsigned length = 1; length <= 16; ++length, code <<= 1) { // C.2
        offset_[length] = index - code;
        for (unsigned i = 0; i < counts[length - 1]; ++i, ++code, ++index) {
            if (code >> length)
                fail(VS_CORRUPT, "a JPEG Huffman table with too many codes");
            if (length <= key_bits)
                enter(code, length, values_[index]);
        }
        limit_[length] = code << (16 - length);
    }
    return at + total;
}

HuffmanTable::Taken HuffmanTable::take_long(Bits bits) const {
    bits.refill();
    const uint32_t entry = look_up(bits);
    unsigned length = entry >> 8 & 15, category = entry >> 16;
    if (!length) {
        const auto word = static_cast<uint32_t>(bits.next >> 48);
        length = key_bits + 1;
        while (length <= 16 && word >= limit_[length])
            ++length;
        if (length > 16)
            return {bits, 0, false};
        category = values_[((word >> (16 - length)) + offset_[length]) & 255];
    }
    bits.take(length);
    const auto value = static_cast<uint32_t>(bits.next >> 1 >> (63 - own_bits(category)));
    bits.take(own_bits(category));
    bits.refill();
    return {bits, difference_of(value, category), true};
}

const uint8_t *EntropySegment::fill(const uint8_t *at, const uint8_t *end, size_t row_samples) {
    const size_t padding = row_samples * most_bytes + ahead_bytes;
    uint8_t *out = scratch(SCRATCH_STREAM, static_cast<size_t>(end - at) + padding);
    bytes_ = out;
    while (at != end) {
        const auto *stop = static_cast<const uint8_t *>(std::memchr(at, 0xFF, static_cast<size_t>(end - at)));
        if (!stop)
            stop = end;
        std::memcpy(out, at, static_cast<size_t>(stop - at));
        out += stop - at;
        at = stop;
        if (end - at < 2) {
            at = end; // a lone FF says nothing
            break;
        }
        if (at[1] != 0)
            break;
        *out++ = 0xFF; // FF 00 stands for FF, F.1.2.3
        at += 2;
    }
    std::memset(out, 0, padding);
    size_ = 8 * static_cast<uint64_t>(out - bytes_);
    bits = Bits();
    bits.at = bytes_;
    return at;
}

} // namespace vs
