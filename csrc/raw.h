// raw.h - uncompressed frames, PS3.5 8.1.1 and 8.2; shared by the raw codecs and the reading of files in blocks.
#pragma once

#include "codec.h"

namespace vs {

// Bytes up to the frame's end, without a pad byte. Throws VS_UNSUPPORTED for layouts that cannot be read.
uint64_t raw_frame_bytes(const vs_frame &frame);

// How many of `size` bytes follow the frame; throws VS_TRUNCATED if there are too few for it.
uint64_t raw_surplus(const vs_frame &frame, uint64_t size);

// Throws VS_MISMATCH unless these bytes, some or all of the `surplus` behind the frame, are padding.
void raw_check_surplus(const vs_frame &frame, const uint8_t *data, uint64_t size, uint64_t surplus);

// Bytes a row if each row lies in one piece, so that a frame can be decoded a few rows at a time; else 0.
uint64_t raw_row_bytes(const vs_frame &frame);

// Delivers `count` rows from `first` on, of a frame for which raw_row_bytes is not 0; `data` are these rows only.
void raw_rows(const vs_frame &frame, const uint8_t *data, uint32_t first, uint32_t count, Sink &sink);

} // namespace vs
