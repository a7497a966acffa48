// libFuzzer target: the first bytes choose codec, layout and target, the rest is the frame. Whatever they are, the
// decoder must return, and leave the guards around the slice alone.
#include "volstream.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

constexpr size_t header_bytes = 16, guard_bytes = 64;
constexpr uint8_t guard = 0xA5;

template <class T, size_t n> T pick(const T (&choices)[n], uint8_t byte) { return choices[byte % n]; }

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < header_bytes)
        return 0;
    const uint8_t *h = data;
    vs_codestream stream{};
    const bool is_known = vs_probe(data + header_bytes, size - header_bytes, &stream) == VS_OK;
    uint64_t ends[VS_RESOLUTIONS];
    uint32_t count = 0;
    if (vs_resolution_ends(data + header_bytes, size - header_bytes, ends, &count) == VS_OK)
        for (uint32_t i = 1; i < count; ++i)
            if (ends[i] > ends[i - 1] && ends[i - 1] != 0)
                std::abort();

    vs_frame frame{};
    frame.codec = h[0] % VS_CODEC_COUNT;
    frame.rows = 1u + h[1];
    frame.columns = 1u + h[2];
    frame.bits_allocated = pick<uint16_t>({1, 8, 16, 32, 64}, h[3]);
    frame.bits_stored = static_cast<uint16_t>(1 + h[4] % frame.bits_allocated);
    frame.high_bit = static_cast<uint16_t>(frame.bits_stored - 1 + h[5] % 2);
    frame.samples_per_pixel = h[6] & 1 ? 3 : 1;
    frame.pixel_representation = h[6] >> 1 & 1;
    frame.planar_configuration = h[6] >> 2 & 1;
    frame.is_float = (h[6] >> 3 & 7) == 7;
    frame.allow_truncated = h[6] >> 6 & 1;
    frame.photometric = static_cast<uint8_t>(frame.samples_per_pixel == 3 ? VS_RGB + h[7] % 5 : h[7] % 8 == 7);
    frame.reduce = h[8] % 8 == 0 ? h[8] >> 6 : 0;
    frame.first_bit = frame.bits_allocated == 1 ? h[9] : frame.bits_allocated == 8 ? h[9] & 8 : 0;
    frame.slope = pick<double>({1, 1, 2, -1, 0.5}, h[10]);
    frame.intercept = pick<double>({0, 0, -1024, 0.25}, h[11]);
    if (is_known && h[12] & 1) { // the likelier way deeper in: metadata that agree
        frame.codec = stream.codec;
        frame.rows = std::min<uint32_t>(stream.rows, 2048);
        frame.columns = std::min<uint32_t>(stream.columns, 2048);
        frame.samples_per_pixel = stream.components;
        frame.photometric = static_cast<uint8_t>(stream.components == 3 ? VS_RGB + h[7] % 5 : VS_MONOCHROME);
        frame.bits_allocated = stream.precision > 16 ? 32 : stream.precision > 8 ? 16 : 8;
        frame.bits_stored = std::clamp<uint16_t>(stream.precision, 1, frame.bits_allocated);
        frame.high_bit = static_cast<uint16_t>(frame.bits_stored - 1);
    }
    const uint16_t entries[6] = {0, 1, 2, 300, 400, 65535};
    vs_table table{entries, 2, 3, h[13] - 128};
    if (frame.photometric == VS_PALETTE || h[13] == 1) {
        table.channels = frame.photometric == VS_PALETTE ? 3 : 1;
        frame.table = &table;
        frame.slope = 1;
        frame.intercept = 0;
    }

    const auto dtype = static_cast<uint8_t>(h[14] % VS_DTYPE_COUNT);
    const size_t item = pick<size_t>({1, 1, 2, 2, 4, 4, 4, 8}, dtype);
    const size_t channels = frame.table ? table.channels : frame.samples_per_pixel;
    const size_t columns = (frame.columns + (1u << frame.reduce) - 1) >> frame.reduce;
    const size_t rows = (frame.rows + (1u << frame.reduce) - 1) >> frame.reduce;
    const size_t gap = h[15] % 3 * item;
    const size_t row_bytes = columns * channels * item, stride = row_bytes + gap;
    static std::vector<uint8_t> buffer;
    buffer.assign(2 * guard_bytes + rows * stride, guard);
    const vs_target target{buffer.data(), buffer.size(), guard_bytes, stride, dtype};
    vs_result result;
    const vs_status status = vs_decode(&frame, data + header_bytes, size - header_bytes, &target, &result);

    const auto is_guard = [](uint8_t byte) { return byte == guard; };
    const auto begin = buffer.begin(), slice = begin + guard_bytes;
    bool is_intact = std::all_of(begin, slice, is_guard) && std::all_of(buffer.end() - guard_bytes, buffer.end(), is_guard);
    for (size_t y = 0; gap && y < rows; ++y)
        is_intact &= std::all_of(slice + static_cast<long>(y * stride + row_bytes),
                                 slice + static_cast<long>((y + 1) * stride), is_guard);
    const bool is_explained = status == VS_OK ? !*result.message : *result.message != 0;
    if (!is_intact || !is_explained || !std::memchr(result.message, 0, sizeof result.message))
        std::abort();
    return 0;
}
