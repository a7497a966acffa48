// upsample.h - a frame decoded at reduced size, spread over its full size.
#pragma once

#include "codec.h"

namespace vs {

struct Reduced {
    const void *samples; // rows of columns * channels items, of the target's type
    size_t size;         // bytes
    uint32_t rows, columns;
};

// Throws unless the source has ceil(n / 2^r) rows and columns for one r, and both lie inside their buffers.
void upsample(const Reduced &source, const vs_target &target, uint32_t rows, uint32_t columns, uint32_t channels,
              vs_upsampling method);

} // namespace vs
