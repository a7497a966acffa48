#include "scratch.h"

#include <limits>
#include <memory>
#include <new>

namespace vs {
namespace {

struct Slot {
    std::unique_ptr<uint8_t[]> bytes;
    size_t size = 0;
};
thread_local Slot slots[SCRATCH_COUNT];

} // namespace

uint8_t *scratch(Scratch slot, uint64_t bytes) {
    if (bytes > std::numeric_limits<size_t>::max() / 2)
        throw std::bad_alloc();
    Slot &it = slots[slot];
    if (it.size < bytes || !it.bytes) {
        const size_t size = static_cast<size_t>(bytes + bytes / 8); // frames of a series differ a little
        it = Slot(); // the old memory first: its content is not wanted
        it.bytes.reset(new uint8_t[size]);
        it.size = size;
    }
    return it.bytes.get();
}

size_t scratch_bytes() noexcept {
    size_t sum = 0;
    for (const Slot &slot : slots)
        sum += slot.size;
    return sum;
}

void trim_scratch() noexcept {
    if (scratch_bytes() > scratch_limit)
        for (Slot &slot : slots)
            slot = Slot();
}

} // namespace vs
