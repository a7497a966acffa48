#include "colour.h"

#include <algorithm>
#include <cmath>

namespace vs {
namespace {

template <class T> void convert(T *y, T *b, T *r, size_t count, unsigned bits) {
    // Float32, as the DICOM toolkits compute it, so that results agree with theirs to the last bit.
    constexpr auto green_from_b = static_cast<float>(-0.114 * 1.772 / 0.587);
    constexpr auto green_from_r = static_cast<float>(-0.299 * 1.402 / 0.587);
    const auto centre = static_cast<float>(1u << (bits - 1)), top = static_cast<float>((1u << bits) - 1);
    const auto whole = [top](float x) {
        return static_cast<T>(std::min(std::max(std::floor(x + 0.5F), 0.0F), top));
    };
    for (size_t i = 0; i < count; ++i) {
        const auto luma = static_cast<float>(y[i]);
        const float cb = static_cast<float>(b[i]) - centre, cr = static_cast<float>(r[i]) - centre;
        y[i] = whole(luma + 1.402F * cr);
        b[i] = whole((luma + green_from_b * cb) + green_from_r * cr);
        r[i] = whole(luma + 1.772F * cb);
    }
}

} // namespace

void ybr_to_rgb(uint8_t *y, uint8_t *b, uint8_t *r, size_t count, unsigned bits) { convert(y, b, r, count, bits); }

void ybr_to_rgb(uint16_t *y, uint16_t *b, uint16_t *r, size_t count, unsigned bits) { convert(y, b, r, count, bits); }

void ybr_to_rgb(uint32_t *y, uint32_t *b, uint32_t *r, size_t count, unsigned bits) { convert(y, b, r, count, bits); }

} // namespace vs
