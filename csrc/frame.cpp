// The C interface: checks, picks the codec, and turns everything thrown into a status.
#include "file.h"
#include "j2k_resolutions.h"
#include "place.h"
#include "raw.h"
#include "scratch.h"
#include "upsample.h"

#include <cstring>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <limits>
#include <new>

namespace vs {
namespace {

const Codec *const codecs[] = {&raw_codec,           &raw_be_codec,  &rle_codec,       &jpeg_codec,
                               &jpeg_lossless_codec, &jpeg_ls_codec, &jpeg_2000_codec, &htj2k_codec};
static_assert(sizeof codecs / sizeof *codecs == VS_CODEC_COUNT, "one codec for each name");

const Codec &codec_of(const vs_frame &frame) {
    if (frame.codec >= VS_CODEC_COUNT)
        fail(VS_BAD_ARGUMENT, "codec %u", frame.codec);
    const Codec &codec = *codecs[frame.codec];
    if (!codec.decode)
        fail(VS_UNSUPPORTED, "the %s decoder is not built in", codec.info.name);
    return codec;
}

// Runs `work`; what it throws becomes a status and the result's message.
template <class Work> vs_status guarded(vs_result *result, Work work) noexcept {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    *result = vs_result{nan, nan, {}};
    const struct Trim {
        ~Trim() { trim_scratch(); }
    } trim;
    const auto report = [result](vs_status status, const char *why) {
        std::snprintf(result->message, sizeof result->message, "%s", why);
        return status;
    };
    try {
        work();
        return VS_OK;
    } catch (const Error &error) {
        return report(error.status, error.message);
    } catch (const std::bad_alloc &) {
        return report(VS_NO_MEMORY, "out of memory");
    } catch (const std::exception &error) {
        return report(VS_CORRUPT, error.what());
    } catch (...) {
        return report(VS_CORRUPT, "the decoder failed");
    }
}

// Runs `work` on a sink for the frame, once all that can be checked beforehand is.
template <class Work>
vs_status placing(const vs_frame *frame, const vs_target *target, vs_result *result, Work work) noexcept {
    return guarded(result, [&] {
        if (!frame || !target)
            fail(VS_BAD_ARGUMENT, "no frame or no target");
        const Codec &codec = codec_of(*frame);
        check_frame(*frame);
        check_target(*frame, *target);
        Placer placer(*frame, *target, codec.gives_rgb);
        work(codec, placer);
        const Extent written = placer.finish();
        result->minimum = written.minimum;
        result->maximum = written.maximum;
    });
}

void decode_bytes(const Codec &codec, const vs_frame &frame, const uint8_t *data, size_t size, Sink &sink) {
    if (!data || !size)
        fail(VS_TRUNCATED, "no pixel data");
    codec.decode({frame, data, size, reduced(frame.rows, frame.reduce), reduced(frame.columns, frame.reduce)}, sink);
}

uint64_t total(const File &file, const vs_range *ranges, size_t count) {
    uint64_t sum = 0;
    for (size_t i = 0; i < count; ++i) {
        const vs_range &range = ranges[i];
        // Known before anything is allocated: a length from a damaged header never is.
        if (range.offset > file.size() || range.length > file.size() - range.offset)
            fail(VS_TRUNCATED, "the file has %llu bytes, the frame ends at byte %llu",
                 static_cast<unsigned long long>(file.size()),
                 static_cast<unsigned long long>(range.offset) + range.length);
        // Fragments of a frame are apart, so together they are no longer than the file either.
        if (range.length > file.size() - sum)
            fail(VS_CORRUPT, "the fragments are longer than the file's %llu bytes",
                 static_cast<unsigned long long>(file.size()));
        sum += range.length;
    }
    return sum;
}

// Rows are read and placed a block at a time, while the block is in the cache.
void stream_rows(const File &file, const vs_range &range, const vs_frame &frame, Sink &sink) {
    constexpr uint64_t block_bytes = 128u << 10;
    const uint64_t surplus = raw_surplus(frame, range.length);
    const uint64_t row_bytes = raw_row_bytes(frame);
    const auto rows = static_cast<uint32_t>(std::clamp<uint64_t>(block_bytes / row_bytes, 1, frame.rows));
    uint8_t *bytes = scratch(SCRATCH_FILE, std::max(rows * row_bytes, block_bytes));
    for (uint32_t y = 0; y < frame.rows; y += rows) {
        const uint32_t count = std::min(rows, frame.rows - y);
        file.read(range.offset + y * row_bytes, count * row_bytes, bytes);
        raw_rows(frame, bytes, y, count, sink);
    }
    for (uint64_t left = surplus, count; left; left -= count) {
        count = std::min(left, block_bytes);
        file.read(range.offset + range.length - left, count, bytes);
        raw_check_surplus(frame, bytes, count, surplus);
    }
}

} // namespace
} // namespace vs

using namespace vs;

vs_status vs_decode(const vs_frame *frame, const uint8_t *data, size_t size, const vs_target *target, vs_result *result) {
    return placing(frame, target, result,
                   [&](const Codec &codec, Sink &sink) { decode_bytes(codec, *frame, data, size, sink); });
}

vs_status vs_decode_pieces(const vs_frame *frame, const vs_piece *pieces, size_t count, const vs_target *target,
                           vs_result *result) {
    return placing(frame, target, result, [&](const Codec &codec, Sink &sink) {
        uint64_t size = 0;
        for (size_t i = 0; i < count; ++i) size += pieces[i].size;
        // One copy, and into memory that is still in this core's cache from the frame before.
        uint8_t *bytes = scratch(SCRATCH_FILE, size), *end = bytes;
        for (size_t i = 0; i < count; end += pieces[i++].size)
            if (pieces[i].size) std::memcpy(end, pieces[i].data, pieces[i].size);
        decode_bytes(codec, *frame, bytes, static_cast<size_t>(size), sink);
    });
}

vs_status vs_decode_file(const vs_frame *frame, const char *path, const vs_range *ranges, size_t count,
                         const vs_target *target, vs_result *result) {
    return placing(frame, target, result, [&](const Codec &codec, Sink &sink) {
        if (!path || (count && !ranges))
            fail(VS_BAD_ARGUMENT, "no path or no ranges");
        const File file(path);
        const uint64_t size = total(file, ranges, count);
        if (count == 1 && frame->codec <= VS_CODEC_RAW_BE && raw_row_bytes(*frame))
            return stream_rows(file, ranges[0], *frame, sink);
        uint8_t *bytes = scratch(SCRATCH_FILE, size), *end = bytes;
        for (size_t i = 0; i < count; end += ranges[i++].length)
            file.read(ranges[i].offset, ranges[i].length, end);
        decode_bytes(codec, *frame, bytes, static_cast<size_t>(size), sink);
    });
}

vs_status vs_upsample(const void *samples, size_t size, uint32_t sample_rows, uint32_t sample_columns,
                      const vs_target *target, uint32_t rows, uint32_t columns, uint32_t channels, vs_upsampling method,
                      vs_result *result) {
    return guarded(result, [&] {
        if (!target)
            fail(VS_BAD_ARGUMENT, "no target");
        upsample({samples, size, sample_rows, sample_columns}, *target, rows, columns, channels, method);
    });
}

vs_status vs_probe(const uint8_t *data, size_t size, vs_codestream *out) {
    for (const Codec *codec : codecs)
        if (codec->probe && codec->probe(data, size, *out))
            return VS_OK;
    return VS_UNSUPPORTED;
}

vs_status vs_resolution_ends(const uint8_t *data, size_t size, uint64_t ends[VS_RESOLUTIONS],
                             uint32_t *count) {
    try {
        *count = resolution_ends(data, size, ends);
        return *count ? VS_OK : VS_UNSUPPORTED;
    } catch (const std::bad_alloc &) {
        return VS_NO_MEMORY;
    }
}

const vs_codec_info *vs_codec_get(vs_codec codec) {
    return static_cast<unsigned>(codec) < VS_CODEC_COUNT ? &codecs[codec]->info : nullptr;
}
