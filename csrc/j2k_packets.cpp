#include "j2k_packets.h"

#include "j2k_tile_parts.h"

#include <algorithm>

namespace vs {

namespace {

uint64_t ceil_shift(uint64_t value, unsigned shift) { return (value + (uint64_t(1) << shift) - 1) >> shift; }

unsigned floor_log2(uint32_t value) {
    unsigned log = 0;
    while (value >>= 1)
        ++log;
    return log;
}

// The bits of a packet header. A zero bit is stuffed behind each byte FF, B.10.1.
class Bits {
public:
    Bits(const uint8_t *begin, const uint8_t *end) : at_(begin), end_(end) {}

    unsigned next() {
        if (left_ == 0) {
            if (at_ == end_) {
                overran_ = true;
                return 0;
            }
            left_ = byte_ == 0xFF ? 7 : 8;
            byte_ = *at_++;
        }
        return byte_ >> --left_ & 1;
    }

    uint32_t next(unsigned count) {
        uint32_t value = 0;
        while (count-- != 0)
            value = value << 1 | next();
        return value;
    }

    // Where the header ends.
    const uint8_t *finish() {
        if (byte_ == 0xFF) {
            overran_ |= at_ == end_;
            at_ += at_ != end_;
        }
        return at_;
    }

    bool overran() const { return overran_; }

private:
    const uint8_t *at_, *end_;
    unsigned byte_ = 0, left_ = 0;
    bool overran_ = false;
};

// B.10.2
class TagTree {
public:
    TagTree(uint32_t width, uint32_t height) {
        for (size_t nodes = 0;; width = (width + 1) / 2, height = (height + 1) / 2) {
            levels_.push_back({nodes, width});
            nodes += size_t(width) * height;
            if (width <= 1 && height <= 1) {
                nodes_.resize(nodes);
                return;
            }
        }
    }

    // Whether the leaf's value is below the threshold.
    bool is_below(uint32_t x, uint32_t y, uint16_t threshold, Bits &bits) {
        uint16_t low = 0;
        Node *node = nullptr;
        for (auto level = unsigned(levels_.size()); level-- != 0;) {
            node = &nodes_[levels_[level].first + size_t(y >> level) * levels_[level].width + (x >> level)];
            low = std::max(low, node->low);
            while (low < threshold && low < node->value) {
                if (bits.next())
                    node->value = low;
                else
                    ++low;
            }
            node->low = low;
        }
        return node->value < threshold;
    }

private:
    struct Level {
        size_t first;
        uint32_t width;
    };
    struct Node {
        uint16_t low = 0, value = 0xFFFF;
    };
    std::vector<Level> levels_; // from the leaves up
    std::vector<Node> nodes_;
};

// B.10.6
uint32_t read_passes(Bits &bits) {
    if (bits.next() == 0)
        return 1;
    if (bits.next() == 0)
        return 2;
    uint32_t more = bits.next(2);
    if (more < 3)
        return 3 + more;
    more = bits.next(5);
    return more < 31 ? 6 + more : 37 + bits.next(7);
}

struct Block {
    uint32_t passes = 0; // in the layers so far
    unsigned length_bits = 3;

    // How many of the passes to come share a codeword segment, and so a length. B.10.7, D.6
    uint32_t segment(uint8_t style, uint32_t coming) const {
        if (style & BLOCK_HT) // sets before the last are empty, their passes belong to its cleanup
            return passes == 0 ? (coming - 1) / 3 * 3 + 1 : coming;
        if (style & BLOCK_TERMINATES)
            return 1;
        if (!(style & BLOCK_BYPASS))
            return coming;
        return std::min<uint32_t>(coming, passes < 10 ? 10 - passes : (passes - 10) % 3 == 0 ? 2 : 1);
    }
};

// The code-blocks of one band in one precinct.
struct Blocks {
    Blocks(uint32_t width, uint32_t height)
        : width(width), height(height), inclusion(width, height), zero_planes(width, height),
          blocks(size_t(width) * height) {}

    uint64_t size() const { return blocks.size(); }

    // What a packet says of them; adds their lengths to `body`. False if that cannot be.
    bool read(Bits &bits, uint32_t layer, uint8_t style, uint64_t &body) {
        Block *block = blocks.data();
        for (uint32_t y = 0; y < height; ++y)
            for (uint32_t x = 0; x < width; ++x, ++block)
                if (!read(bits, x, y, layer, style, *block, body) || bits.overran())
                    return false;
        return true;
    }

private:
    bool read(Bits &bits, uint32_t x, uint32_t y, uint32_t layer, uint8_t style, Block &block, uint64_t &body) {
        const bool is_first = block.passes == 0;
        if (!(is_first ? inclusion.is_below(x, y, uint16_t(layer + 1), bits) : bits.next() != 0))
            return true;
        constexpr uint16_t most_planes = 128; // 37 and as many again below a region of interest
        if (is_first)
            for (uint16_t planes = 1; !zero_planes.is_below(x, y, planes, bits); ++planes)
                if (planes == most_planes)
                    return false;
        uint32_t coming = read_passes(bits);
        while (bits.next() != 0)
            if (++block.length_bits > 32)
                return false;
        while (coming != 0) {
            const uint32_t passes = block.segment(style, coming);
            const unsigned length_bits = block.length_bits + floor_log2(passes); // B.10.7
            if (length_bits > 32)
                return false;
            body += bits.next(length_bits);
            block.passes += passes;
            coming -= passes;
        }
        return true;
    }

    uint32_t width, height;
    TagTree inclusion, zero_planes;
    std::vector<Block> blocks;
};

// More code-blocks than any frame has: a damaged header must not take all memory, nor all day.
constexpr uint64_t most_blocks = 1 << 22;

// One resolution: how its bands are cut into precincts, and those into code-blocks. B.5 to B.7
class Resolution {
public:
    Resolution(const J2kHeader &header, unsigned index)
        : header_(header), is_lowest_(index == 0), drop_(header.levels - index),
          exponent_x_(header.precinct_exponents[index] & 15), exponent_y_(header.precinct_exponents[index] >> 4) {}

    uint64_t across() const { return ceil_shift(ceil_shift(header_.columns, drop_), exponent_x_); }
    uint64_t down() const { return ceil_shift(ceil_shift(header_.rows, drop_), exponent_y_); }

    // The code-blocks of a precinct, band after band: LL, or HL, LH and HH. False if there cannot be, or too many.
    bool cut(uint64_t precinct, std::vector<Blocks> &bands) const {
        if (!is_lowest_ && (exponent_x_ == 0 || exponent_y_ == 0))
            return false;
        const uint64_t x = precinct % across(), y = precinct / across();
        for (unsigned band = is_lowest_ ? 0 : 1; band < (is_lowest_ ? 1 : 4); ++band) {
            const uint64_t width = count(header_.columns, x, exponent_x_, header_.block_exponent_x, band & 1);
            const uint64_t height = count(header_.rows, y, exponent_y_, header_.block_exponent_y, band >> 1);
            if (height != 0 && width > most_blocks / height)
                return false;
            if (width != 0 && height != 0)
                bands.emplace_back(uint32_t(width), uint32_t(height));
        }
        return true;
    }

private:
    // How many code-blocks lie side by side in one precinct of a band.
    uint64_t count(uint64_t size, uint64_t precinct, unsigned exponent, unsigned block_exponent, bool is_high) const {
        uint64_t band = ceil_shift(size, drop_);
        if (!is_lowest_) { // equation B-15: the low samples are the even ones, the high ones those between
            const uint64_t first = is_high ? uint64_t(1) << drop_ : 0;
            band = size > first ? ceil_shift(size - first, drop_ + 1) : 0;
            --exponent;
        }
        const uint64_t begin = precinct << exponent, end = std::min(band, (precinct + 1) << exponent);
        return end > begin ? ceil_shift(end - begin, std::min(block_exponent, exponent)) : 0;
    }

    const J2kHeader &header_;
    bool is_lowest_;
    unsigned drop_, exponent_x_, exponent_y_;
};

constexpr uint64_t most_precincts = uint64_t(1) << 32; // far more than any frame has; nothing overflows

uint64_t precincts_of(const J2kHeader &header, unsigned index) {
    const Resolution resolution(header, index);
    const uint64_t across = resolution.across(), down = resolution.down();
    return across > most_precincts / down ? most_precincts : across * down;
}

class Walk {
public:
    explicit Walk(const J2kHeader &header) : header_(header), next_part_(header.first_tile) {}

    J2kPackets run() {
        for (unsigned i = 0; i <= header_.levels && found_.is_sound; ++i)
            if (!resolution(i))
                break;
        return std::move(found_);
    }

private:
    bool contradiction() { return found_.is_sound = false; }
    // The data end. If it was only the tile-part, packets would not lie within it.
    bool no_more() { return limit_ == part_.end ? contradiction() : false; }

    // Goes through one resolution; false if the data end before it does.
    bool resolution(unsigned index) {
        const Resolution resolution(header_, index);
        const uint64_t precincts = precincts_of(header_, index), packets = packets_of(header_, index);
        if (precincts >= most_precincts)
            return contradiction();
        const uint64_t layers = header_.layers, components = header_.components;
        const bool by_precinct = header_.progression == RPCL; // else by layer, then component; B.12.1
        std::vector<std::vector<Blocks>> seen; // of every component's precincts, in the order in which they first come
        for (uint64_t i = 0; i < packets; ++i) {
            const uint64_t layer = by_precinct ? i % layers : i / (precincts * components);
            const uint64_t place = by_precinct ? i / layers : i % (precincts * components);
            const uint64_t precinct = by_precinct ? place / components : place % precincts;
            if (place == seen.size())
                seen.emplace_back();
            uint64_t end = 0;
            if (!packet(resolution, precinct, uint32_t(layer), seen[place], end))
                return false;
            if (i + 1 == packets)
                found_.ends[header_.levels - index] = end;
            if (end > limit_)
                return false;
            at_ = found_.runs.back().end = end;
            ++found_.whole;
        }
        return true;
    }

    // Reads the packet header at at_; `end` is where the packet does, which may be beyond the data. False if those end.
    bool packet(const Resolution &resolution, uint64_t precinct, uint32_t layer, std::vector<Blocks> &bands,
                uint64_t &end) {
        while (at_ == part_.end)
            if (!open_part())
                return false;
        const uint8_t *at = header_.data + at_, *const limit = header_.data + limit_;
        if (header_.may_have_sop && limit - at >= 2 && big16(at) == SOP) {
            if (limit - at < 6)
                return no_more();
            at += 6;
        }
        Bits bits(at, limit);
        uint64_t body = 0;
        if (bits.next() != 0) { // else it is empty
            if (bands.empty() && !resolution.cut(precinct, bands))
                return contradiction();
            for (Blocks &blocks : bands) {
                visited_ += blocks.size();
                if (visited_ > most_blocks)
                    return contradiction();
                if (!blocks.read(bits, layer, header_.block_style, body))
                    return bits.overran() ? no_more() : contradiction();
            }
        }
        at = bits.finish();
        if (bits.overran() || (header_.has_eph && limit - at < 2))
            return no_more();
        if (header_.has_eph && big16(at) != EPH)
            return contradiction();
        at += header_.has_eph ? 2 : 0;
        end = uint64_t(at - header_.data) + body;
        return part_.end == 0 || end <= part_.end || contradiction();
    }

    bool open_part() {
        part_ = TilePart{};
        if (!read_tile_part(header_, next_part_, 0, part_) || !part_.is_plain)
            return contradiction();
        if (part_.first_packet == 0)
            return false;
        next_part_ = part_.end;
        at_ = part_.first_packet;
        limit_ = part_.end != 0 ? std::min<uint64_t>(part_.end, header_.size) : header_.size - (header_.ended ? 2 : 0);
        found_.runs.push_back({at_, at_});
        return at_ <= limit_;
    }

    const J2kHeader &header_;
    J2kPackets found_;
    TilePart part_; // the one that is being read
    uint64_t at_ = 0, limit_ = 0, next_part_;
    uint64_t visited_ = 0; // code-blocks
};

} // namespace

uint64_t packets_of(const J2kHeader &header, unsigned resolution) {
    return precincts_of(header, resolution) * header.components * header.layers;
}

J2kPackets read_packets(const J2kHeader &header) { return Walk(header).run(); }

} // namespace vs
