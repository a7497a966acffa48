// prediction.h - the predictors of JPEG lossless, ISO 10918-1 H.1.2.1.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vs {

// Turns a row of differences into samples, in place. `above` is the row above as decoded, null where there is none to
// predict from; then prediction starts from `first` and goes on from the left. Arithmetic is modulo 2^16.
void undo_prediction(uint16_t *row, const uint16_t *above, size_t count, unsigned predictor, uint16_t first);

} // namespace vs
