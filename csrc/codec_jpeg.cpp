// DCT JPEG, 8 bit and (libjpeg-turbo 3) 12 bit, through libjpeg's own interface. ISO 10918-1.
#include "codec.h"
#include "jpeg_markers.h"
#include "scratch.h"

namespace vs {

namespace {

bool is_dct(const JpegHeader &header) { return header.frame_kind >= SOF0 && header.frame_kind <= SOF2; }

bool probe(const uint8_t *data, size_t size, vs_codestream &out) {
    JpegHeader header;
    if (!read_jpeg_header(data, size, header) || !is_dct(header))
        return false;
    out = describe(VS_CODEC_JPEG, header);
    return true;
}

} // namespace

} // namespace vs

#ifdef VOLSTREAM_JPEG

#include <csetjmp>
#include <cstdio> // jpeglib.h needs it
#include <cstring>

#include <jpeglib.h>

#include <jerror.h>

#define VS_TEXT(x) #x
#define VS_VALUE(x) VS_TEXT(x)
#if LIBJPEG_TURBO_VERSION_NUMBER >= 3000000
#define VS_JPEG_12 1
#endif

namespace vs {

namespace {

constexpr int max_scans = 100; // as libjpeg-turbo's own fuzzers; more only cost time

// libjpeg reports errors by not returning: `jump` leads back. So nothing that runs under attempt() may own anything.
struct State {
    jpeg_decompress_struct jpeg;
    jpeg_error_mgr errors;
    jpeg_source_mgr source;
    jpeg_progress_mgr progress;
    std::jmp_buf jump;
    char message[JMSG_LENGTH_MAX];
    vs_status status;
    bool created;
    bool may_lack_end; // a single scan that is all there can do without EOI
};

State &state_of(void *jpeg) { return *static_cast<State *>(static_cast<j_common_ptr>(jpeg)->client_data); }

[[noreturn]] void leave(State &state, vs_status status) {
    state.status = status;
    std::longjmp(state.jump, 1);
}

[[noreturn]] void on_error(j_common_ptr jpeg) {
    State &state = state_of(jpeg);
    jpeg->err->format_message(jpeg, state.message);
    leave(state, jpeg->err->msg_code == JERR_OUT_OF_MEMORY ? VS_NO_MEMORY : VS_CORRUPT);
}

void on_message(j_common_ptr jpeg, int level) {
    const int code = jpeg->err->msg_code;
    // A warning is damage, except those about header fields that decide nothing: old files have zeros in some.
    if (level < 0 && code != JWRN_JFIF_MAJOR && code != JWRN_ADOBE_XFORM && code != JWRN_NOT_SEQUENTIAL)
        on_error(jpeg);
}

void on_start(j_decompress_ptr) {}

boolean on_empty(j_decompress_ptr jpeg) {
    static const JOCTET end[2] = {0xFF, JPEG_EOI};
    State &state = state_of(jpeg);
    if (!state.may_lack_end) {
        std::strcpy(state.message, "the stream ends early");
        leave(state, VS_TRUNCATED);
    }
    jpeg->src->next_input_byte = end;
    jpeg->src->bytes_in_buffer = 2;
    return TRUE;
}

void on_skip(j_decompress_ptr jpeg, long count) {
    if (count <= 0)
        return;
    if (size_t(count) > jpeg->src->bytes_in_buffer) {
        std::strcpy(state_of(jpeg).message, "the stream ends within a marker");
        leave(state_of(jpeg), VS_TRUNCATED);
    }
    jpeg->src->next_input_byte += count;
    jpeg->src->bytes_in_buffer -= size_t(count);
}

void on_progress(j_common_ptr jpeg) {
    if (reinterpret_cast<j_decompress_ptr>(jpeg)->input_scan_number <= max_scans)
        return;
    std::snprintf(state_of(jpeg).message, JMSG_LENGTH_MAX, "more than %d scans", max_scans);
    leave(state_of(jpeg), VS_CORRUPT);
}

template <class Step> bool attempt(State &state, Step step) {
    if (setjmp(state.jump) != 0)
        return false;
    step(state);
    return true;
}

// One decompressor a thread; jpeg_abort keeps its permanent memory for the next frame.
struct Decoder {
    State state{};

    ~Decoder() {
        if (state.created)
            jpeg_destroy_decompress(&state.jpeg);
    }
    void create() {
        state.jpeg.err = jpeg_std_error(&state.errors);
        state.jpeg.client_data = &state;
        state.errors.error_exit = on_error;
        state.errors.emit_message = on_message;
        if (!attempt(state, [](State &s) { jpeg_create_decompress(&s.jpeg); }))
            fail(VS_NO_MEMORY, "libjpeg: %s", state.message);
        state.created = true;
        state.source.init_source = state.source.term_source = on_start;
        state.source.fill_input_buffer = on_empty;
        state.source.skip_input_data = on_skip;
        state.source.resync_to_restart = jpeg_resync_to_restart;
        state.jpeg.src = &state.source;
        state.progress.progress_monitor = on_progress;
        state.jpeg.progress = &state.progress;
    }
};
thread_local Decoder decoder;

// What the three stored components are: the stream's own word first, then the metadata's. PS3.5 8.2.1.
J_COLOR_SPACE stored_colour(const JpegHeader &header, const vs_frame &frame) {
    if (header.components == 1)
        return JCS_GRAYSCALE;
    const uint8_t *id = header.component_ids;
    if ((id[0] == 'R' && id[1] == 'G' && id[2] == 'B') || (id[0] == 'r' && id[1] == 'g' && id[2] == 'b'))
        return JCS_RGB;
    if (header.jfif || header.adobe_transform == 1)
        return JCS_YCbCr;
    return frame.photometric == VS_YBR_FULL || frame.photometric == VS_YBR_FULL_422 ? JCS_YCbCr : JCS_RGB;
}

void start(State &state, J_COLOR_SPACE stored) {
    jpeg_read_header(&state.jpeg, TRUE);
    state.may_lack_end = !jpeg_has_multiple_scans(&state.jpeg);
    state.jpeg.jpeg_color_space = stored;
    state.jpeg.out_color_space = stored == JCS_GRAYSCALE ? JCS_GRAYSCALE : JCS_RGB;
    state.jpeg.dct_method = JDCT_ISLOW;
    state.jpeg.do_fancy_upsampling = TRUE;
    jpeg_start_decompress(&state.jpeg);
}

void read_row(State &state, uint8_t *row) {
#ifdef VS_JPEG_12
    if (state.jpeg.data_precision == 12) {
        J12SAMPROW wide = reinterpret_cast<J12SAMPROW>(row);
        jpeg12_read_scanlines(&state.jpeg, &wide, 1);
        return;
    }
#endif
    JSAMPROW narrow = row;
    jpeg_read_scanlines(&state.jpeg, &narrow, 1);
}

void give_rows(const Encoded &encoded, Sink &sink, uint32_t components, bool wide) {
    State &state = decoder.state;
    uint8_t *row = scratch(SCRATCH_SAMPLES, uint64_t(encoded.columns) * components * (wide ? 2 : 1));
    Plane planes[3];
    for (uint32_t i = 0; i < components; ++i)
        planes[i] = {row + (wide ? 2 * i : i), wide ? Sample::i16 : Sample::u8, components};
    for (uint32_t y = 0; y < encoded.rows; ++y) {
        if (!attempt(state, [row](State &s) { read_row(s, row); }))
            fail(state.status, "libjpeg: %s", state.message);
        if (state.jpeg.output_scanline != y + 1)
            fail(VS_CORRUPT, "libjpeg gave no row %u", y);
        sink.row(y, planes);
    }
}

void decode(const Encoded &encoded, Sink &sink) {
    JpegHeader header;
    if (!read_jpeg_header(encoded.data, encoded.size, header))
        fail(VS_CORRUPT, "not a JPEG stream, or its header is cut");
    if (!is_dct(header))
        fail(VS_UNSUPPORTED, "a JPEG stream of kind SOF%d is not DCT", header.frame_kind - SOF0);
    sink.begin(describe(VS_CODEC_JPEG, header));
    if (header.components != 1 && header.components != 3)
        fail(VS_UNSUPPORTED, "%u JPEG components", header.components);
#ifndef VS_JPEG_12
    if (header.precision != 8)
        fail(VS_UNSUPPORTED, "%d-bit JPEG needs libjpeg-turbo 3", header.precision);
#endif

    State &state = decoder.state;
    if (!state.created)
        decoder.create();
    const struct Abort { // a progressive frame's coefficients, for one, are not to be kept
        ~Abort() { jpeg_abort_decompress(&decoder.state.jpeg); }
    } abort;
    state.source.next_input_byte = encoded.data;
    state.source.bytes_in_buffer = trim_padding(encoded.data, encoded.size);
    state.may_lack_end = false;
    const J_COLOR_SPACE stored = stored_colour(header, encoded.frame);
    if (!attempt(state, [stored](State &s) { start(s, stored); }))
        fail(state.status, "libjpeg: %s", state.message);
    if (state.jpeg.output_width != encoded.columns || state.jpeg.output_height != encoded.rows ||
        state.jpeg.output_components != header.components)
        fail(VS_CORRUPT, "libjpeg reads another frame header");
    give_rows(encoded, sink, header.components, header.precision > 8);
}

} // namespace

#ifdef LIBJPEG_TURBO_VERSION
#define VS_JPEG_NAME "libjpeg-turbo", VS_VALUE(LIBJPEG_TURBO_VERSION)
#else
#define VS_JPEG_NAME "libjpeg", VS_VALUE(JPEG_LIB_VERSION)
#endif
#ifdef VS_JPEG_12
const Codec jpeg_codec = {{"jpeg", VS_JPEG_NAME, "3.1", VOLSTREAM_JPEG, 12}, decode, probe, true};
#else
const Codec jpeg_codec = {{"jpeg", VS_JPEG_NAME, "3.1", VOLSTREAM_JPEG, 8}, decode, probe, true};
#endif

} // namespace vs

#else

namespace vs {
const Codec jpeg_codec = {{"jpeg", "", "", "3.1", "absent", 0}, nullptr, probe, true};
}

#endif
