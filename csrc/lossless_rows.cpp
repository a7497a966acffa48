#include "lossless_rows.h"

#include <type_traits>

namespace vs {
namespace {

// Differences taken from a register between two refills: it holds 56 bits.
constexpr unsigned batch = 56 / HuffmanTable::most_bits;

// `predict(left, above, corner)`; `count` is a constant where the loop over components should disappear.
template <class Count, class Predict>
bool decode(Bits &stream, const LosslessRow *rows, Count count, size_t columns, uint16_t first, Predict predict) {
    Bits bits = stream;
    bool is_good = true;
    const auto difference = [&](const HuffmanTable &table) -> unsigned {
        const uint32_t entry = table.look_up(bits);
        if (const unsigned length = entry & 63) {
            const unsigned found = entry & HuffmanTable::is_whole ? entry >> 16
                                                                  : HuffmanTable::difference(entry, bits.next);
            bits.take(length);
            return found;
        }
        const HuffmanTable::Taken taken = table.take_long(bits);
        bits = taken.bits;
        is_good &= taken.is_good;
        return taken.difference;
    };
    for (unsigned i = 0; i < count; ++i) { // the first sample follows the one above
        bits.refill();
        const LosslessRow &row = rows[i];
        row.out[0] = static_cast<uint16_t>(difference(*row.table) + (row.above ? row.above[0] : first));
    }
    if constexpr (std::is_same_v<Count, std::integral_constant<unsigned, 1>>) {
        const HuffmanTable &table = *rows->table;
        const uint16_t *above = rows->above;
        uint16_t *out = rows->out;
        int left = out[0];
        const auto sample = [&](size_t x) {
            left = static_cast<uint16_t>(difference(table) + static_cast<unsigned>(predict(left, above, x)));
            out[x] = static_cast<uint16_t>(left);
        };
        size_t x = 1;
        for (; x + batch <= columns; x += batch) {
            bits.refill();
            for (unsigned i = 0; i < batch; ++i)
                sample(x + i);
        }
        for (bits.refill(); x < columns; ++x)
            sample(x);
    } else {
        for (size_t x = 1; x < columns; ++x) {
            for (unsigned i = 0; i < count; ++i) {
                bits.refill();
                const LosslessRow &row = rows[i];
                row.out[x] = static_cast<uint16_t>(difference(*row.table) +
                                                   static_cast<unsigned>(predict(row.out[x - 1], row.above, x)));
            }
        }
    }
    stream = bits;
    return is_good;
}

} // namespace

bool decode_lossless_rows(Bits &bits, const LosslessRow *rows, unsigned count, size_t columns, unsigned predictor,
                          uint16_t first) {
    const auto run = [&](auto predict) {
        if (count == 1)
            return decode(bits, rows, std::integral_constant<unsigned, 1>(), columns, first, predict);
        return decode(bits, rows, count, columns, first, predict);
    };
    switch (rows->above ? predictor : 1) { // table H.1
    case 1: return run([](int left, const uint16_t *, size_t) { return left; });
    case 2: return run([](int, const uint16_t *above, size_t x) { return int{above[x]}; });
    case 3: return run([](int, const uint16_t *above, size_t x) { return int{above[x - 1]}; });
    case 4: return run([](int left, const uint16_t *above, size_t x) { return left + above[x] - above[x - 1]; });
    case 5: return run([](int left, const uint16_t *above, size_t x) { return left + ((above[x] - above[x - 1]) >> 1); });
    case 6: return run([](int left, const uint16_t *above, size_t x) { return above[x] + ((left - above[x - 1]) >> 1); });
    default: return run([](int left, const uint16_t *above, size_t x) { return (left + above[x]) >> 1; });
    }
}

} // namespace vs
