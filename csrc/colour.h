// colour.h - YBR_FULL to RGB, PS3.3 C.7.6.3.1.2.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vs {

// Converts three rows of `bits`-bit samples in place: y becomes red, b green, r blue. Results are rounded half up
// and clamped to 0 .. 2^bits - 1; at most 16 bits.
void ybr_to_rgb(uint8_t *y, uint8_t *b, uint8_t *r, size_t count, unsigned bits);
void ybr_to_rgb(uint16_t *y, uint16_t *b, uint16_t *r, size_t count, unsigned bits);
void ybr_to_rgb(uint32_t *y, uint32_t *b, uint32_t *r, size_t count, unsigned bits);

} // namespace vs
