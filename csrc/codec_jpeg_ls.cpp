// JPEG-LS, lossless and near-lossless, through CharLS. ISO 14495-1.
#include "codec.h"
#include "jpeg_markers.h"

namespace vs {

namespace {

bool probe(const uint8_t *data, size_t size, vs_codestream &out) {
    JpegHeader header;
    if (!read_jpeg_header(data, size, header) || header.frame_kind != 0xF7) return false;
    out = vs_codestream{};
    out.codec = VS_CODEC_JPEG_LS;
    out.rows = header.rows;
    out.columns = header.columns;
    out.components = header.components;
    out.precision = header.precision;
    out.is_lossy = header.near != 0;
    out.is_reversible = header.near == 0;
    return true;
}

} // namespace

} // namespace vs

#ifdef VOLSTREAM_CHARLS

#include <charls/charls.h>

#include <cstring>
#include <memory>
#include <vector>

namespace vs {

namespace {

struct Free {
    void operator()(charls_jpegls_decoder *decoder) const { charls_jpegls_decoder_destroy(decoder); }
};

struct Scratch {
    std::vector<uint8_t> ended, pixels;
};
thread_local Scratch scratch;

void check(charls_jpegls_errc status) {
    if (status == charls::jpegls_errc::success) return;
    const bool missing = status == charls::jpegls_errc::not_enough_memory;
    fail(missing ? VS_NO_MEMORY : VS_CORRUPT, "CharLS: %s", charls_get_error_message(status));
}

// The unary codes of a stream without an end marker can keep CharLS busy for seconds, so it never sees one.
void end_with_marker(const uint8_t *&data, size_t &size) {
    size = trim_padding(data, size);
    if (data[size - 2] == 0xFF && data[size - 1] == 0xD9) return;
    scratch.ended.resize(size + 2);
    std::memcpy(scratch.ended.data(), data, size);
    scratch.ended[size] = 0xFF;
    scratch.ended[size + 1] = 0xD9;
    data = scratch.ended.data();
    size += 2;
}

void give_rows(const Encoded &encoded, Sink &sink, uint32_t components, uint32_t sample_bytes, bool interleaved) {
    const Sample type = sample_bytes == 1 ? Sample::u8 : Sample::u16;
    const size_t plane_row = size_t(encoded.columns) * sample_bytes;
    for (uint32_t y = 0; y < encoded.rows; ++y) {
        Plane planes[4];
        for (uint32_t i = 0; i < components; ++i) {
            const size_t offset = interleaved ? y * plane_row * components + size_t(i) * sample_bytes
                                              : (size_t(i) * encoded.rows + y) * plane_row;
            planes[i] = {scratch.pixels.data() + offset, type, interleaved ? components : 1};
        }
        sink.row(y, planes);
    }
}

void decode(const Encoded &encoded, Sink &sink) {
    vs_codestream stream;
    if (!probe(encoded.data, encoded.size, stream)) fail(VS_CORRUPT, "not a JPEG-LS stream, or its header is cut");
    check_codestream(stream, encoded);
    if (stream.components > 4) fail(VS_UNSUPPORTED, "%u components", stream.components);
    const uint8_t *data = encoded.data;
    size_t size = encoded.size;
    end_with_marker(data, size);

    const std::unique_ptr<charls_jpegls_decoder, Free> decoder(charls_jpegls_decoder_create());
    if (!decoder) fail(VS_NO_MEMORY, "no memory for the JPEG-LS decoder");
    check(charls_jpegls_decoder_set_source_buffer(decoder.get(), data, size));
    check(charls_jpegls_decoder_read_header(decoder.get()));
    charls_frame_info info{};
    check(charls_jpegls_decoder_get_frame_info(decoder.get(), &info));
    charls_interleave_mode mode{};
    check(charls_jpegls_decoder_get_interleave_mode(decoder.get(), &mode));
    if (info.width != encoded.columns || info.height != encoded.rows || info.component_count != stream.components ||
        info.bits_per_sample != stream.precision)
        fail(VS_CORRUPT, "CharLS reads another frame header");
    size_t needed = 0;
    check(charls_jpegls_decoder_get_destination_size(decoder.get(), 0, &needed));
    const uint32_t sample_bytes = info.bits_per_sample > 8 ? 2 : 1;
    if (needed != size_t(encoded.rows) * encoded.columns * stream.components * sample_bytes)
        fail(VS_CORRUPT, "CharLS would decode %zu bytes", needed);
    scratch.pixels.resize(needed);
    check(charls_jpegls_decoder_decode_to_buffer(decoder.get(), scratch.pixels.data(), needed, 0));
    give_rows(encoded, sink, stream.components, sample_bytes, mode != charls::interleave_mode::none);
}

} // namespace

const Codec jpeg_ls_codec = {{"jpeg-ls", "CharLS", charls_get_version_string(), "2.4.4", VOLSTREAM_CHARLS, 16}, decode, probe};

} // namespace vs

#else

namespace vs {
const Codec jpeg_ls_codec = {{"jpeg-ls", "", "", "2.4.4", "absent", 0}, nullptr, probe};
}

#endif
