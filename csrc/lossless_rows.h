// lossless_rows.h - rows of JPEG lossless: differences out of the entropy-coded bits, added to what their neighbours
// predict. ISO 10918-1 H.1.2.
#pragma once

#include "huffman.h"

namespace vs {

// One component of a row.
struct LosslessRow {
    const HuffmanTable *table;
    uint16_t *out;
    const uint16_t *above; // as decoded; null where there is none to predict from: then all follows from the left
};

// Decodes `count` components of a row, sample by sample in turn (A.2.3), modulo 2^16. `first` predicts the first
// sample of a row without one above, H.1.1. False if there was a code that the table lacks.
bool decode_lossless_rows(Bits &bits, const LosslessRow *rows, unsigned count, size_t columns, unsigned predictor,
                          uint16_t first);

} // namespace vs
