// scratch.h - memory that a thread keeps from frame to frame, so that most frames allocate nothing.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vs {

// Who uses what; a codec and the sink that it feeds never share.
enum Scratch : unsigned {
    SCRATCH_FILE,    // bytes read from a file
    SCRATCH_STREAM,  // those in another form: words swapped, markers added, stuffing removed
    SCRATCH_SAMPLES, // what a codec has decoded
    SCRATCH_PLANE_0, // one row of a component, in the sink
    SCRATCH_PLANE_1,
    SCRATCH_PLANE_2,
    SCRATCH_ROW, // one row of the components together, in the sink
    SCRATCH_COUNT
};

// At least that many bytes, of any content, until the next call with the same slot. Throws std::bad_alloc.
uint8_t *scratch(Scratch slot, uint64_t bytes);

// What this thread holds.
size_t scratch_bytes() noexcept;

// Most that a thread keeps: more than a frame of nearly every modality needs. Idle threads live as long as the process.
constexpr size_t scratch_limit = size_t{64} << 20;

// Gives everything back if it has grown beyond the limit.
void trim_scratch() noexcept;

} // namespace vs
