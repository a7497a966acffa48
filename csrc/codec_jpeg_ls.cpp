// JPEG-LS, lossless and near-lossless, through CharLS. ISO 14495-1.
#include "codec.h"
#include "jpeg_markers.h"
#include "scratch.h"

namespace vs {

namespace {

bool probe(const uint8_t *data, size_t size, vs_codestream &out) {
    JpegHeader header;
    if (!read_jpeg_header(data, size, header) || header.frame_kind != SOF55)
        return false;
    out = describe(VS_CODEC_JPEG_LS, header);
    return true;
}

} // namespace

} // namespace vs

#ifdef VOLSTREAM_CHARLS

#include <charls/charls.h>

#include <cstring>
#include <memory>

namespace vs {

namespace {

struct Free {
    void operator()(charls_jpegls_decoder *decoder) const { charls_jpegls_decoder_destroy(decoder); }
};

struct Bytes {
    const uint8_t *data;
    size_t size;
};

struct Decoded {
    uint8_t *samples;
    charls_interleave_mode mode;
};

void check(charls_jpegls_errc status) {
    if (status == charls::jpegls_errc::success)
        return;
    const bool missing = status == charls::jpegls_errc::not_enough_memory;
    fail(missing ? VS_NO_MEMORY : VS_CORRUPT, "CharLS: %s", charls_get_error_message(status));
}

Bytes without_byte_before_end(Bytes stream) {
    const size_t size = stream.size - 1;
    uint8_t *copy = scratch(SCRATCH_STREAM, size);
    std::memcpy(copy, stream.data, size - 2);
    copy[size - 2] = 0xFF;
    copy[size - 1] = EOI;
    return {copy, size};
}

uint32_t sample_bytes(const vs_codestream &stream) { return stream.precision > 8 ? 2 : 1; }

void give_rows(const Encoded &encoded, Sink &sink, const vs_codestream &stream, const Decoded &decoded) {
    const bool interleaved = decoded.mode != charls::interleave_mode::none;
    const uint32_t components = stream.components, bytes = sample_bytes(stream);
    const Sample type = bytes == 1 ? Sample::u8 : Sample::u16;
    const size_t plane_row = size_t(encoded.columns) * bytes;
    for (uint32_t y = 0; y < encoded.rows; ++y) {
        Plane planes[4];
        for (uint32_t i = 0; i < components; ++i) {
            const size_t offset = interleaved ? y * plane_row * components + size_t(i) * bytes
                                              : (size_t(i) * encoded.rows + y) * plane_row;
            planes[i] = {decoded.samples + offset, type, interleaved ? components : 1};
        }
        sink.row(y, planes);
    }
}

Decoded decode_samples(Bytes stream, const vs_codestream &expected) {
    const std::unique_ptr<charls_jpegls_decoder, Free> decoder(charls_jpegls_decoder_create());
    if (!decoder)
        fail(VS_NO_MEMORY, "no memory for the JPEG-LS decoder");
    check(charls_jpegls_decoder_set_source_buffer(decoder.get(), stream.data, stream.size));
    check(charls_jpegls_decoder_read_header(decoder.get()));
    charls_frame_info info{};
    check(charls_jpegls_decoder_get_frame_info(decoder.get(), &info));
    if (info.width != expected.columns || info.height != expected.rows || info.component_count != expected.components ||
        info.bits_per_sample != expected.precision)
        fail(VS_CORRUPT, "CharLS reads another frame header");
    Decoded out{};
    check(charls_jpegls_decoder_get_interleave_mode(decoder.get(), &out.mode));
    size_t needed = 0;
    check(charls_jpegls_decoder_get_destination_size(decoder.get(), 0, &needed));
    if (needed != size_t(expected.rows) * expected.columns * expected.components * sample_bytes(expected))
        fail(VS_CORRUPT, "CharLS would decode %zu bytes", needed);
    out.samples = scratch(SCRATCH_SAMPLES, needed);
    check(charls_jpegls_decoder_decode_to_buffer(decoder.get(), out.samples, needed, 0));
    return out;
}

void decode(const Encoded &encoded, Sink &sink) {
    vs_codestream stream;
    if (!probe(encoded.data, encoded.size, stream))
        fail(VS_CORRUPT, "not a JPEG-LS stream, or its header is cut");
    sink.begin(stream);
    if (stream.components > 4)
        fail(VS_UNSUPPORTED, "%u components", stream.components);

    // Without its end marker a stream can lose a byte unseen, and its unary codes can keep CharLS busy for seconds.
    const Bytes bytes{encoded.data, trim_padding(encoded.data, encoded.size)};
    const uint8_t *end = bytes.data + bytes.size;
    if (end[-2] != 0xFF || end[-1] != 0xD9)
        fail(VS_TRUNCATED, "the JPEG-LS stream has no end marker");
    Decoded decoded{};
    try {
        decoded = decode_samples(bytes, stream);
    } catch (const Error &) {
        // Some encoders pad before the end marker instead of behind it; CharLS before 2.4.3 refuses that.
        if (end[-3] != 0)
            throw;
        decoded = decode_samples(without_byte_before_end(bytes), stream);
    }
    give_rows(encoded, sink, stream, decoded);
}

} // namespace

const Codec jpeg_ls_codec = {
    {"jpeg-ls", "CharLS", charls_get_version_string(), "2.4.4", VOLSTREAM_CHARLS, 16}, decode, probe};

} // namespace vs

#else

namespace vs {
const Codec jpeg_ls_codec = {{"jpeg-ls", "", "", "2.4.4", "absent", 0}, nullptr, probe};
}

#endif
