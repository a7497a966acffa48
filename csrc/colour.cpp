#include "colour.h"

#include <algorithm>
#include <type_traits>

namespace vs {
namespace {

// The coefficients of the standard are decimal fractions, and some sums of theirs end in exactly one half: whole
// numbers over a common denominator round them all alike, on every processor.
template <class T> void convert(T *y, T *b, T *r, size_t count, unsigned bits) {
    using Int = std::conditional_t<sizeof(T) == 1, int32_t, int64_t>;
    const auto centre = static_cast<Int>(Int{1} << (bits - 1)), top = static_cast<Int>((Int{1} << bits) - 1);
    const auto rounded = [top](Int numerator, auto denominator) {
        constexpr Int whole = denominator;
        return static_cast<T>(std::min<Int>(std::max<Int>(numerator + whole / 2, 0) / whole, top));
    };
    constexpr std::integral_constant<int, 1000> thousandths;
    constexpr std::integral_constant<int, 587000> of_green;
    for (size_t i = 0; i < count; ++i) {
        const auto luma = static_cast<Int>(y[i]);
        const Int cb = static_cast<Int>(b[i]) - centre, cr = static_cast<Int>(r[i]) - centre;
        y[i] = rounded(1000 * luma + 1402 * cr, thousandths);
        // (Y - 0.299 R - 0.114 B) / 0.587 with R = Y + 1.402 Cr and B = Y + 1.772 Cb
        b[i] = rounded(587000 * luma - 114 * 1772 * cb - 299 * 1402 * cr, of_green);
        r[i] = rounded(1000 * luma + 1772 * cb, thousandths);
    }
}

} // namespace

void ybr_to_rgb(uint8_t *y, uint8_t *b, uint8_t *r, size_t count, unsigned bits) { convert(y, b, r, count, bits); }

void ybr_to_rgb(uint16_t *y, uint16_t *b, uint16_t *r, size_t count, unsigned bits) { convert(y, b, r, count, bits); }

void ybr_to_rgb(uint32_t *y, uint32_t *b, uint32_t *r, size_t count, unsigned bits) { convert(y, b, r, count, bits); }

} // namespace vs
