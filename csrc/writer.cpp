#include "writer.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <new>
#include <vector>

#ifndef _WIN32
#include <unistd.h>
#endif

struct vs_writer {
    const vs_board *board;
    int descriptor;
    uint64_t offset, slice_bytes;
    std::vector<std::mutex> locks; // one a slice
};

namespace {

// Bytes written, or -1 and errno.
long long write_at(int descriptor, const uint8_t *data, size_t size, uint64_t offset) {
#ifdef _WIN32
    (void)descriptor, (void)data, (void)size, (void)offset;
    errno = ENOSYS;
    return -1;
#else
    return pwrite(descriptor, data, size, static_cast<off_t>(offset));
#endif
}

} // namespace

extern "C" {

vs_writer *vs_writer_new(const vs_board *board, int descriptor, uint64_t offset, uint64_t slice_bytes) {
    try {
        return new vs_writer{board, descriptor, offset, slice_bytes, std::vector<std::mutex>(board->slices)};
    } catch (const std::bad_alloc &) {
        return nullptr;
    }
}

void vs_writer_free(vs_writer *writer) { delete writer; }

uint64_t vs_writer_slice_bytes(const vs_writer *writer) { return writer->slice_bytes; }

void vs_writer_lock(vs_writer *writer, uint32_t index) { writer->locks[index].lock(); }

void vs_writer_unlock(vs_writer *writer, uint32_t index) { writer->locks[index].unlock(); }

vs_status vs_writer_put(vs_writer *writer, uint32_t index, const void *voxels, uint8_t state, double minimum,
                        double maximum, int *taken, vs_result *result) {
    const std::lock_guard<std::mutex> hold(writer->locks[index]);
    const uint8_t before = vs_state(writer->board, index);
    *taken = 0;
    if (before == VS_FULL || before == VS_FAILED || before > state || (before == state && before > VS_ADJACENT_REPLICATE))
        return VS_OK;
    const vs_status status = vs_writer_write(writer, index, voxels, result);
    if (status != VS_OK)
        return status;
    if (before == state) {
        vs_touch(writer->board);
        *taken = 1;
    } else {
        *taken = vs_publish(writer->board, index, state, minimum, maximum);
    }
    return VS_OK;
}

vs_status vs_writer_write(vs_writer *writer, uint32_t index, const void *voxels, vs_result *result) {
    const auto *data = static_cast<const uint8_t *>(voxels);
    const uint64_t begin = writer->offset + index * writer->slice_bytes;
    for (uint64_t done = 0; done < writer->slice_bytes;) {
        constexpr uint64_t most = 1u << 30; // some systems refuse more at once
        const uint64_t left = writer->slice_bytes - done;
        const long long count = write_at(writer->descriptor, data + done, left < most ? left : most, begin + done);
        if (count > 0) {
            done += static_cast<uint64_t>(count);
        } else if (count == 0 || errno != EINTR) {
            std::snprintf(result->message, sizeof result->message, "no memory is left for this slice: %s",
                          std::strerror(count == 0 ? ENOSPC : errno));
            return VS_NO_MEMORY;
        }
    }
    return VS_OK;
}

} // extern "C"
