#include "prediction.h"

namespace vs {

void undo_prediction(uint16_t *row, const uint16_t *above, size_t count, unsigned predictor, uint16_t first) {
    if (!count)
        return;
    // The first sample follows the one above; the first row (of a restart interval) starts in mid-range, H.1.1.
    row[0] = static_cast<uint16_t>(row[0] + (above ? above[0] : first));
    if (!above)
        predictor = 1;
    const auto run = [&](auto predict) {
        int left = row[0];
        for (size_t x = 1; x < count; ++x) {
            left = static_cast<uint16_t>(row[x] + predict(left, x));
            row[x] = static_cast<uint16_t>(left);
        }
    };
    switch (predictor) { // table H.1
    case 1: return run([](int left, size_t) { return left; });
    case 2: return run([=](int, size_t x) { return int{above[x]}; });
    case 3: return run([=](int, size_t x) { return int{above[x - 1]}; });
    case 4: return run([=](int left, size_t x) { return left + above[x] - above[x - 1]; });
    case 5: return run([=](int left, size_t x) { return left + ((above[x] - above[x - 1]) >> 1); });
    case 6: return run([=](int left, size_t x) { return above[x] + ((left - above[x - 1]) >> 1); });
    default: return run([=](int left, size_t x) { return (left + above[x]) >> 1; });
    }
}

} // namespace vs
