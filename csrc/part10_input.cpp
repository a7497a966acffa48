#include "part10_input.h"

namespace vs::part10 {

namespace {

constexpr size_t jump_step = 4 << 10; // after a skip: a fragment's item header, or the rest of a data set
constexpr size_t last_step = 1 << 20;

} // namespace

// Only for files: a buffer is one window, which `view` never leaves.
const uint8_t *Input::load(uint64_t position, size_t count) {
    const bool onwards = position >= start_ && position <= end_;
    const size_t step = onwards ? step_ : jump_step;
    if (onwards && step_ < last_step) step_ *= 2;
    const uint64_t left = size_ - position, wish = count > step ? count : step;
    const size_t length = size_t(left < wish ? left : wish);
    if (length > capacity_) {
        buffer_.reset(new uint8_t[length]);
        capacity_ = length;
    }
    start_ = end_ = position; // empty, should reading fail
    window_ = buffer_.get();
    file_->read(position, length, buffer_.get());
    end_ = position + length;
    return window_;
}

} // namespace vs::part10
