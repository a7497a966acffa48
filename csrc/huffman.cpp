#include "huffman.h"

#include "codec.h"
#include "scratch.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>

namespace vs {
namespace {

// A code and a difference take 32 bits at most; a register is filled 8 bytes at a time, up to 8 ahead.
constexpr size_t most_bytes = 4, ahead_bytes = 16;

} // namespace

// Everything that the key can be if it starts with this code.
void HuffmanTable::enter(uint32_t code, unsigned length, unsigned category, bool may_be_whole) {
    const unsigned left = key_bits - length, total = length + category;
    uint32_t *at = entries_ + (code << left);
    const uint32_t entry = ((uint32_t{1} << category) - 1) << 16 | length << 8 | total;
    if (category > left || !may_be_whole) {
        std::fill_n(at, size_t{1} << left, entry);
        return;
    }
    const size_t spread = size_t{1} << (left - category);
    for (uint64_t value = 0; value >> category == 0; ++value, at += spread) {
        const uint64_t bits = (uint64_t{code} << category | value) << (64 - total);
        std::fill_n(at, spread, difference(entry, bits) << 16 | is_whole | total);
    }
}

// How often a code and its difference are longer than the key, if frequencies are what the code lengths say. Unless
// that is rare, the processor mispredicts it: then it is quicker to treat all of them as wide.
double HuffmanTable::wide_share(const uint8_t *counts) const {
    double share = 0;
    for (unsigned length = 1, index = 0; length <= 16; ++length)
        for (unsigned i = 0; i < counts[length - 1]; ++i)
            if (length + values_[index++] > key_bits)
                share += std::ldexp(1.0, -static_cast<int>(length));
    return share;
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
    const bool is_narrow = wide_share(counts) < 0.06;
    uint32_t code = 0, index = 0;
    limit_[0] = 0;
    for (unsigned length = 1; length <= 16; ++length, code <<= 1) { // C.2
        offset_[length] = index - code;
        for (unsigned i = 0; i < counts[length - 1]; ++i, ++code, ++index) {
            if (code >> length)
                fail(VS_CORRUPT, "a JPEG Huffman table with too many codes");
            const uint32_t category = values_[index];
            if (length > key_bits || category == 16)
                continue;
            enter(code, length, category, is_narrow);
        }
        limit_[length] = code << (16 - length);
    }
    return at + total;
}

HuffmanTable::Taken HuffmanTable::take_long(Bits bits) const {
    bits.refill();
    const auto word = static_cast<uint32_t>(bits.next >> 48);
    unsigned length = 1;
    while (length <= 16 && word >= limit_[length])
        ++length;
    if (length > 16)
        return {bits, 0, false};
    const unsigned category = values_[((word >> (16 - length)) + offset_[length]) & 255];
    // Category 16 is the difference 32768 and has no bits of its own, H.1.2.2.
    const unsigned own = category == 16 ? 0 : category;
    const uint32_t entry = ((uint32_t{1} << own) - 1) << 16 | length << 8 | (length + own);
    const unsigned whole = category == 16 ? 32768 : difference(entry, bits.next);
    bits.take(length + own);
    bits.refill();
    return {bits, static_cast<uint16_t>(whole), true};
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
