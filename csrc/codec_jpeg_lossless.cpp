// JPEG lossless, ISO 10918-1 process 14: every predictor, 2 to 16 bits, point transform, restart intervals, one or
// three components in one scan or several. References are to ISO/IEC 10918-1 | ITU-T T.81.
#include "codec.h"
#include "jpeg_markers.h"
#include "lossless_rows.h"

#include <algorithm>
#include <memory>
#include <vector>

namespace vs {
namespace {

struct Component {
    explicit Component(uint8_t identifier) : id(identifier) {}

    uint8_t id;
    const HuffmanTable *table = nullptr; // of the current scan
    std::vector<uint16_t> rows;          // two rows; all, if the components come in separate scans
    bool is_seen = false;
};

bool probe(const uint8_t *data, size_t size, vs_codestream &out) {
    JpegHeader header;
    if (!read_jpeg_header(data, size, header) || header.frame_kind != SOF3)
        return false;
    out = describe(VS_CODEC_JPEG_LOSSLESS, header);
    return true;
}

class Decoder {
public:
    Decoder(const Encoded &encoded, Sink &sink)
        : encoded_(encoded), sink_(sink), segments_(encoded.data, encoded.size) {}

    void run() {
        if (segments_.next().marker != SOI)
            fail(VS_CORRUPT, "not a JPEG: it starts with FF %02X", encoded_.data[1]);
        while (!is_done_) {
            const auto segment = segments_.next();
            if (is_frame_header(segment.marker))
                read_frame(segment);
            else if (segment.marker == DHT)
                read_tables(segment);
            else if (segment.marker == DRI && segment.size >= 2)
                restart_interval_ = static_cast<uint32_t>(segment.data[0] << 8 | segment.data[1]);
            else if (segment.marker == SOS)
                read_scan(segment);
            else if (segment.marker == DNL || segment.marker == DAC)
                fail(VS_UNSUPPORTED, "JPEG lossless with marker FF %02X", segment.marker);
            else if (segment.marker == EOI)
                fail(VS_TRUNCATED, "the JPEG ends before its last component");
        }
    }

private:
    using Segment = Segments::Segment;

    void read_frame(const Segment &segment) { // B.2.2
        read_frame_header(segment, header_);
        if (segment.marker != SOF3)
            fail(VS_UNSUPPORTED, "a JPEG of process SOF%u, not lossless", segment.marker - SOF0);
        sink_.begin(describe(VS_CODEC_JPEG_LOSSLESS, header_));
        precision_ = header_.precision;
        if (precision_ < 2 || precision_ > 16)
            fail(VS_CORRUPT, "JPEG lossless of %u bits", precision_);
        for (unsigned i = 0; i < header_.components; ++i) { // 1 or 3, as the metadata say
            components_.emplace_back(header_.component_ids[i]);
            if (header_.components > 1 && header_.sampling[i] != 0x11)
                fail(VS_UNSUPPORTED, "JPEG lossless with subsampled components");
        }
    }

    void read_tables(const Segment &segment) { // B.2.4.2
        const uint8_t *at = segment.data, *end = at + segment.size;
        while (at != end) {
            if (end - at < 17 || at[0] > 3)
                fail(VS_CORRUPT, "a damaged JPEG Huffman table");
            const uint8_t slot = *at++;
            if (!tables_[slot])
                tables_[slot] = std::make_unique<HuffmanTable>();
            at = tables_[slot]->read(at, end);
        }
    }

    void read_scan(const Segment &segment) { // B.2.3
        const size_t count = segment.size ? segment.data[0] : 0;
        if (components_.empty() || !count || count > components_.size() || segment.size < 4 + 2 * count)
            fail(VS_CORRUPT, "a damaged JPEG scan header");
        scan_.clear();
        for (size_t i = 0; i < count; ++i) {
            const uint8_t id = segment.data[1 + 2 * i], slot = segment.data[2 + 2 * i] >> 4;
            const auto found = std::find_if(components_.begin(), components_.end(),
                                            [&](const Component &c) { return c.id == id && !c.is_seen; });
            if (found == components_.end() || slot > 3 || !tables_[slot])
                fail(VS_CORRUPT, "a JPEG scan of component %u with table %u", id, slot);
            found->table = tables_[slot].get();
            found->is_seen = true;
            scan_.push_back(&*found);
        }
        const uint8_t *parameters = segment.data + 1 + 2 * count;
        predictor_ = parameters[0];
        shift_ = parameters[2] & 15;
        if (predictor_ < 1 || predictor_ > 7 || parameters[2] >> 4 || shift_ >= precision_)
            fail(VS_CORRUPT, "a JPEG lossless scan with predictor %u, point transform %u", predictor_, parameters[2]);
        if (restart_interval_ % encoded_.columns)
            fail(VS_UNSUPPORTED, "JPEG restarts within a row, after %u samples", restart_interval_); // H.1.1 forbids them
        decode_scan();
        is_done_ = std::all_of(components_.begin(), components_.end(), [](const Component &c) { return c.is_seen; });
        if (is_done_ && scan_.size() < components_.size())
            for (uint32_t y = 0; y < encoded_.rows; ++y)
                deliver(y, y);
    }

    void decode_scan() {
        const uint32_t rows = encoded_.rows;
        const bool is_whole = scan_.size() == components_.size();
        for (Component *component : scan_)
            component->rows.resize(size_t{encoded_.columns} * (is_whole ? 2 : rows));
        const uint32_t interval = restart_interval_ ? restart_interval_ / encoded_.columns : rows;
        EntropySegment entropy;
        const uint8_t *end = encoded_.data + encoded_.size;
        for (uint32_t y = 0; y < rows; ++y) {
            if (y % interval == 0) {
                const uint8_t *at = segments_.at();
                if (y) {
                    const Segment restart = segments_.next();
                    if (restart.marker != RST0 + (y / interval - 1) % 8)
                        fail(VS_CORRUPT, "FF %02X instead of a JPEG restart before row %u", restart.marker, y);
                    at = segments_.at();
                }
                segments_.skip_to(entropy.fill(at, end, size_t{encoded_.columns} * scan_.size()));
            }
            const uint32_t slot = is_whole ? y & 1 : y;
            decode_row(entropy, y, slot, y % interval == 0 ? -1 : int64_t{is_whole ? slot ^ 1 : slot - 1});
            if (is_whole)
                deliver(y, slot);
        }
    }

    // `above` is the slot of the row above, -1 if there is none to predict from.
    void decode_row(EntropySegment &entropy, uint32_t y, uint32_t slot, int64_t above) {
        const size_t columns = encoded_.columns;
        LosslessRow rows[3];
        for (size_t i = 0; i < scan_.size(); ++i) {
            uint16_t *samples = scan_[i]->rows.data();
            rows[i] = {scan_[i]->table, samples + slot * columns,
                       above < 0 ? nullptr : samples + static_cast<size_t>(above) * columns};
        }
        const auto first = static_cast<uint16_t>(1u << (precision_ - shift_ - 1));
        const bool is_good = decode_lossless_rows(entropy.bits, rows, static_cast<unsigned>(scan_.size()), columns,
                                                  predictor_, first);
        if (entropy.is_past_end())
            fail(VS_TRUNCATED, "the JPEG ends in row %u of %u", y, encoded_.rows);
        if (!is_good)
            fail(VS_CORRUPT, "a code of no JPEG Huffman table in row %u", y);
    }

    void deliver(uint32_t y, uint32_t slot) {
        const size_t columns = encoded_.columns;
        Plane planes[3];
        for (size_t i = 0; i < components_.size(); ++i) {
            const uint16_t *row = components_[i].rows.data() + slot * columns;
            if (shift_) { // the rows above are still needed as they are
                shifted_.resize(columns * components_.size());
                uint16_t *out = shifted_.data() + i * columns;
                for (size_t x = 0; x < columns; ++x)
                    out[x] = static_cast<uint16_t>(row[x] << shift_);
                row = out;
            }
            planes[i] = {row, Sample::u16, 1};
        }
        sink_.row(y, planes);
    }

    const Encoded &encoded_;
    Sink &sink_;
    Segments segments_;
    JpegHeader header_;
    std::vector<Component> components_;
    std::vector<Component *> scan_;
    std::vector<uint16_t> shifted_;
    std::unique_ptr<HuffmanTable> tables_[4];
    uint32_t restart_interval_ = 0;
    unsigned precision_ = 0, predictor_ = 0, shift_ = 0;
    bool is_done_ = false;
};

void decode(const Encoded &encoded, Sink &sink) { Decoder(encoded, sink).run(); }

} // namespace

const Codec jpeg_lossless_codec{{"jpeg-lossless", "volstream", "", "", "own", 16}, decode, probe};

} // namespace vs
