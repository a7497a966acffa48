// The C interface without Python: one small case of each kind. The many are in tests/native.
#include "scratch.h"
#include "volstream.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                       \
            std::exit(1);                                                                                              \
        }                                                                                                              \
    } while (false)

vs_frame frame_of(vs_codec codec, uint32_t rows, uint32_t columns, uint16_t bits) {
    vs_frame frame{};
    frame.rows = rows;
    frame.columns = columns;
    frame.samples_per_pixel = 1;
    frame.bits_allocated = frame.bits_stored = bits;
    frame.high_bit = static_cast<uint16_t>(bits - 1);
    frame.codec = static_cast<uint8_t>(codec);
    frame.slope = 1;
    return frame;
}

template <class T> vs_target target_of(std::vector<T> &items, vs_dtype dtype, uint64_t first = 0) {
    return {items.data(), items.size() * sizeof(T), first * sizeof(T), 0, static_cast<uint8_t>(dtype)};
}

void rescales_into_place() {
    const uint8_t data[] = {0x01, 0xF0, 0xFF, 0x0F}; // 1 and 4095 of 12 bits, the other bits dirty
    vs_frame frame = frame_of(VS_CODEC_RAW, 1, 2, 16);
    frame.bits_stored = 12;
    frame.high_bit = 11;
    frame.intercept = -1024;
    std::vector<int16_t> items(4, 77);
    const vs_target target = target_of(items, VS_INT16, 1);
    vs_result result;
    CHECK(vs_decode(&frame, data, sizeof data, &target, &result) == VS_OK);
    CHECK((items == std::vector<int16_t>{77, -1023, 3071, 77}));
    CHECK(result.minimum == -1023 && result.maximum == 3071 && !*result.message);
}

void says_what_is_wrong() {
    const uint8_t data[8] = {0, 128};
    std::vector<int16_t> items(4);
    const vs_target target = target_of(items, VS_INT16);
    vs_result result;
    vs_frame frame = frame_of(VS_CODEC_RAW, 2, 2, 16);
    CHECK(vs_decode(&frame, data, 7, &target, &result) == VS_TRUNCATED);
    CHECK(std::string(result.message) == "7 bytes of 8" && std::isnan(result.minimum));
    CHECK(vs_decode(&frame, data, 8, &target, &result) == VS_RANGE); // 32768
    frame.rows = 3;
    CHECK(vs_decode(&frame, data, 8, &target, &result) == VS_OUT_OF_BOUNDS);
    frame.rows = 0xFFFFFFFF;
    CHECK(vs_decode(&frame, data, 8, &target, &result) == VS_CORRUPT);
    frame = frame_of(VS_CODEC_COUNT, 1, 1, 16);
    CHECK(vs_decode(&frame, data, 8, &target, &result) == VS_BAD_ARGUMENT);
    CHECK(vs_decode(nullptr, data, 8, &target, &result) == VS_BAD_ARGUMENT);
    frame = frame_of(VS_CODEC_RAW, 1, 1, 16);
    CHECK(vs_decode(&frame, nullptr, 0, &target, &result) == VS_TRUNCATED);
    vs_range range{0, 2};
    CHECK(vs_decode_file(&frame, "/nonexistent/file", &range, 1, &target, &result) == VS_IO);
    CHECK(std::strlen(result.message) > 0);
}

void unpacks_runs() {
    std::vector<uint8_t> data(64);
    data[0] = 1;
    data[4] = 64;
    for (const uint8_t byte : {1, 10, 20, 254, 30, 128, 0, 40}) // two literals, a run of three, nothing, a literal
        data.push_back(byte);
    const vs_frame frame = frame_of(VS_CODEC_RLE, 2, 3, 8);
    std::vector<uint8_t> items(6);
    const vs_target target = target_of(items, VS_UINT8);
    vs_result result;
    CHECK(vs_decode(&frame, data.data(), data.size(), &target, &result) == VS_OK);
    CHECK((items == std::vector<uint8_t>{10, 20, 30, 30, 30, 40}));
}

void lists_codecs() {
    for (int codec = 0; codec < VS_CODEC_COUNT; ++codec) {
        const vs_codec_info *info = vs_codec_get(static_cast<vs_codec>(codec));
        CHECK(info && *info->name && *info->origin);
    }
    CHECK(!vs_codec_get(VS_CODEC_COUNT));
    vs_codestream stream;
    CHECK(vs_probe(nullptr, 0, &stream) == VS_UNSUPPORTED);
}

void keeps_no_more_scratch_than_is_usual() {
    const uint8_t data[2] = {};
    vs_frame frame = frame_of(VS_CODEC_RAW, 1, 1, 16);
    std::vector<int16_t> items(1);
    const vs_target target = target_of(items, VS_INT16);
    vs_result result;
    const uint8_t *usual = vs::scratch(vs::SCRATCH_FILE, 1 << 20);
    CHECK(vs_decode(&frame, data, 2, &target, &result) == VS_OK);
    CHECK(vs::scratch(vs::SCRATCH_FILE, 1 << 20) == usual);
    for (const size_t size : {sizeof data, size_t{1}}) { // whichever way a decode ends
        vs::scratch(vs::SCRATCH_STREAM, vs::scratch_limit);
        CHECK(vs_decode(&frame, data, size, &target, &result) == (size == 2 ? VS_OK : VS_TRUNCATED));
        CHECK(vs::scratch_bytes() == 0);
    }
}

void spreads_a_reduced_frame() {
    const std::vector<int16_t> samples = {0, 4, 8, -4}; // rows 0 and 2, columns 0 and 2
    std::vector<int16_t> items(12, 77);
    const vs_target target = target_of(items, VS_INT16);
    vs_result result;
    CHECK(vs_upsample(samples.data(), 8, 2, 2, &target, 3, 4, 1, VS_LINEAR, &result) == VS_OK);
    CHECK((items == std::vector<int16_t>{0, 2, 4, 4, 4, 2, 0, 0, 8, 2, -4, -4}));
    CHECK(vs_upsample(samples.data(), 8, 2, 2, &target, 3, 4, 1, VS_NEAREST, &result) == VS_OK);
    CHECK((items == std::vector<int16_t>{0, 4, 4, 4, 8, -4, -4, -4, 8, -4, -4, -4}));
    CHECK(vs_upsample(samples.data(), 7, 2, 2, &target, 3, 4, 1, VS_LINEAR, &result) == VS_OUT_OF_BOUNDS);
    CHECK(vs_upsample(samples.data(), 8, 2, 2, &target, 4, 4, 1, VS_LINEAR, &result) == VS_OUT_OF_BOUNDS);
    CHECK(vs_upsample(samples.data(), 8, 2, 2, &target, 2, 4, 1, VS_LINEAR, &result) == VS_BAD_ARGUMENT);
    CHECK(vs_upsample(nullptr, 8, 2, 2, &target, 3, 4, 1, VS_LINEAR, &result) == VS_BAD_ARGUMENT);
    CHECK(vs_upsample(samples.data(), 8, 2, 2, nullptr, 3, 4, 1, VS_LINEAR, &result) == VS_BAD_ARGUMENT);
}

void finds_no_resolutions_in_other_data() {
    uint64_t ends[VS_RESOLUTIONS];
    uint32_t count;
    CHECK(vs_resolution_ends(nullptr, 0, ends, &count) == VS_UNSUPPORTED);
    CHECK(vs_resolution_ends(reinterpret_cast<const uint8_t *>("\xFF\x4F\xFF\x51"), 4, ends, &count) == VS_UNSUPPORTED);
}

} // namespace

int main() {
    rescales_into_place();
    says_what_is_wrong();
    unpacks_runs();
    lists_codecs();
    keeps_no_more_scratch_than_is_usual();
    spreads_a_reduced_frame();
    finds_no_resolutions_in_other_data();
    return 0;
}
