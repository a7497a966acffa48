// file.h - reading the fragments of one frame.
#pragma once

#include "volstream.h"

namespace vs {

class File {
public:
    explicit File(const char *path); // throws VS_IO
    ~File();
    File(const File &) = delete;
    File &operator=(const File &) = delete;

    uint64_t size() const { return size_; }
    // Exactly `length` bytes; throws VS_TRUNCATED if the file ends before, VS_IO if it cannot be read.
    void read(uint64_t offset, uint64_t length, uint8_t *out) const;

private:
    int handle_;
    uint64_t size_;
};

} // namespace vs
