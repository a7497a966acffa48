// part10_input.h - bytes for the header reader: a buffer, or a file seen through a window that moves forward.
#pragma once

#include "codec.h"
#include "file.h"
#include "part10.h"

#include <cstring>
#include <memory>
#include <optional>

namespace vs::part10 {

class Input {
public:
    Input(const uint8_t *data, size_t size) : size_(size), window_(data), end_(size) {}
    explicit Input(const char *path) : file_(std::in_place, path), size_(file_->size()) {}

    uint64_t size() const { return size_; }

    // `count` bytes at `position`, or null if the input ends before. Valid until the next call.
    const uint8_t *view(uint64_t position, size_t count) {
        if (position >= start_ && position <= end_ && count <= end_ - position) return window_ + (position - start_);
        return position <= size_ && count <= size_ - position ? load(position, count) : nullptr;
    }

private:
    static constexpr size_t first_step = 16 << 10; // holds most headers whole

    const uint8_t *load(uint64_t position, size_t count);

    std::optional<File> file_;
    uint64_t size_;
    const uint8_t *window_ = nullptr; // bytes [start_, end_) of the input
    uint64_t start_ = 0, end_ = 0;
    std::unique_ptr<uint8_t[]> buffer_;
    size_t capacity_ = 0, step_ = first_step;
};

inline uint16_t u16(const uint8_t *p, bool big) {
    return big ? uint16_t(p[0] << 8 | p[1]) : uint16_t(p[1] << 8 | p[0]);
}

inline uint32_t u32(const uint8_t *p, bool big) {
    return big ? uint32_t(p[0]) << 24 | uint32_t(p[1]) << 16 | uint32_t(p[2]) << 8 | p[3]
               : uint32_t(p[3]) << 24 | uint32_t(p[2]) << 16 | uint32_t(p[1]) << 8 | p[0];
}

} // namespace vs::part10
