#include "part10_parse.h"

#include <algorithm>

namespace vs::part10 {

namespace {

constexpr uint32_t item_tag = 0xFFFEE000, item_end = 0xFFFEE00D, sequence_end = 0xFFFEE0DD;
constexpr uint32_t undefined = 0xFFFFFFFF;
constexpr size_t most_entries = 8 << 20; // 65,536 frames of 128 entries

constexpr uint16_t vr_code(char a, char b) { return uint16_t(a << 8 | b); }
uint16_t vr_code(const char *vr) { return vr_code(vr[0], vr[1]); }

bool is_vr(const char *vr, const char *list) {
    for (; *list; list += 3)
        if (vr[0] == list[0] && vr[1] == list[1]) return true;
    return false;
}

// PS3.5 7.1.2: these have 16-bit lengths, all others, known or not, two reserved bytes and 32-bit lengths.
constexpr char short_vrs[] = "UI CS DS IS LO SH US DA TM UL SS PN AE AS AT DT FL FD LT SL ST ";
constexpr char long_vrs[] = "SQ OB OW UN UT OF OD OL UC UR OV SV UV ";

// What big endian turns round: the width of a VR's words. PS3.5 7.3.
size_t word_size(const char *vr) {
    if (is_vr(vr, "US SS OW AT XS ")) return 2;
    if (is_vr(vr, "UL SL FL OF OL ")) return 4;
    return is_vr(vr, "FD OD UV SV OV ") ? 8 : 1;
}

bool is_pixel_data(uint32_t tag) { return tag == 0x7FE00008 || tag == 0x7FE00009 || tag == 0x7FE00010; }

} // namespace

bool is_vr(const uint8_t *bytes) {
    const char vr[2] = {char(bytes[0]), char(bytes[1])};
    return is_vr(vr, short_vrs) || is_vr(vr, long_vrs);
}

const vs_wanted *Parser::find(uint32_t tag) const {
    const vs_wanted *end = wanted_ + count_;
    const auto before = [](const vs_wanted &wanted, uint32_t value) { return wanted.tag < value; };
    const vs_wanted *found = std::lower_bound(wanted_, end, tag, before);
    return found != end && found->tag == tag ? found : nullptr;
}

const uint8_t *Parser::need(uint64_t position, size_t count, uint64_t end) {
    const uint8_t *bytes = position <= end && count <= end - position ? input_.view(position, count) : nullptr;
    if (!bytes)
        fail(VS_TRUNCATED, "the header needs %zu bytes at offset %llu, %llu are there", count,
             (unsigned long long)position, (unsigned long long)(end > position ? end - position : 0));
    return bytes;
}

void Parser::push(vs_entry_kind kind, const vs_wanted *wanted, const char *vr, uint64_t offset, uint32_t length) {
    if (out_.entry_list.size() >= most_entries)
        fail(VS_NO_MEMORY, "the header has more than %zu entries", most_entries);
    const uint32_t index = wanted ? uint32_t(wanted - wanted_) : 0;
    out_.entry_list.push_back({uint8_t(kind), {vr[0], vr[1]}, index, length, offset});
}

// The header of the next element; `position_` is then at its value.
Parser::Element Parser::element(Form form, uint64_t end) {
    const uint8_t *p = need(position_, 8, end);
    const bool big = form.is_big_endian;
    Element e{uint32_t(u16(p, big)) << 16 | u16(p + 2, big), {'U', 'N'}, 0};
    uint32_t length = u32(p + 4, big);
    size_t size = 8;
    if (form.is_explicit && e.tag >> 16 != 0xFFFE) { // delimiters have no VR, PS3.5 7.5
        e.vr[0] = char(p[4]);
        e.vr[1] = char(p[5]);
        if (is_vr(e.vr, short_vrs)) {
            length = u16(p + 6, big);
        } else {
            if (e.vr[0] < 'A' || e.vr[0] > 'Z' || e.vr[1] < 'A' || e.vr[1] > 'Z')
                fail(VS_UNSUPPORTED, "element (%04x,%04x) at offset %llu has no value representation", e.tag >> 16,
                     e.tag & 0xFFFF, (unsigned long long)position_);
            length = u32(need(position_, size = 12, end) + 8, big);
        }
    }
    position_ += size;
    e.length = length == undefined ? VS_UNDEFINED_LENGTH : length;
    return e;
}

// Elements up to `end`, or to an item delimiter.
void Parser::data_set(Form form, uint64_t end, bool delimited, unsigned depth, bool emit) {
    while (position_ < end) {
        const Element e = element(form, end);
        if (e.tag == item_end || e.tag == sequence_end) {
            if (e.tag == item_end && delimited) return;
            if (delimited) fail(VS_CORRUPT, "an item is not closed before offset %llu", (unsigned long long)position_);
            continue; // stray: says nothing about the elements round it
        }
        if (depth == 0 && is_pixel_data(e.tag)) return pixel_data(e);
        if (e.length != VS_UNDEFINED_LENGTH && e.length > end - position_)
            fail(depth ? VS_CORRUPT : VS_TRUNCATED, "element (%04x,%04x) claims %llu bytes, %llu are left", e.tag >> 16,
                 e.tag & 0xFFFF, (unsigned long long)e.length, (unsigned long long)(end - position_));
        value(e, form, end, depth, emit);
    }
    if (delimited) fail(VS_TRUNCATED, "the header ends within an item, at offset %llu", (unsigned long long)position_);
}

// Keeps a wanted value or goes into a sequence; otherwise goes past.
void Parser::value(const Element &e, Form form, uint64_t end, unsigned depth, bool emit) {
    const vs_wanted *wanted = emit ? find(e.tag) : nullptr;
    const bool is_unknown = !form.is_explicit || vr_code(e.vr) == vr_code('U', 'N');
    const char *vr = is_unknown && wanted ? wanted->vr : e.vr;
    const bool is_sequence = vr_code(vr) == vr_code('S', 'Q');
    const bool is_open = e.length == VS_UNDEFINED_LENGTH;
    if (is_open && (vr_code(e.vr) == vr_code('O', 'B') || vr_code(e.vr) == vr_code('O', 'W'))) {
        return skip_fragments(form, end); // of an icon
    }
    if (is_open || (is_sequence && wanted)) {
        const bool keep = wanted && is_sequence && vr_code(wanted->vr) == vr_code('S', 'Q');
        // PS3.5 6.2.2: what is within UN is implicit VR little endian.
        const Form inner = form.is_explicit && vr_code(e.vr) == vr_code('U', 'N') ? Form{false, false} : form;
        if (keep) push(VS_SEQUENCE, wanted);
        sequence(inner, e.length, end, depth + 1, keep);
        if (keep) push(VS_END);
        return;
    }
    if (wanted && vr_code(wanted->vr) != vr_code('S', 'Q') && !is_sequence) {
        const size_t length = size_t(e.length), offset = out_.value_bytes.size();
        const uint8_t *bytes = need(position_, length, end);
        out_.value_bytes.insert(out_.value_bytes.end(), bytes, bytes + length);
        const size_t word = form.is_big_endian ? word_size(vr) : 1;
        if (word > 1)
            for (uint8_t *p = out_.value_bytes.data() + offset, *stop = p + length / word * word; p != stop; p += word)
                std::reverse(p, p + word);
        push(VS_VALUE, wanted, vr, offset, uint32_t(length));
    }
    position_ += e.length;
}

// Items, up to `length` or a sequence delimiter. PS3.5 7.5.
void Parser::sequence(Form form, uint64_t length, uint64_t end, unsigned depth, bool emit) {
    if (depth > VS_MAX_DEPTH) fail(VS_CORRUPT, "sequences are nested deeper than %d", VS_MAX_DEPTH);
    const bool is_open = length == VS_UNDEFINED_LENGTH;
    if (!is_open) end = position_ + length; // the caller has checked that it fits
    while (position_ < end) {
        const Element item = element({false, form.is_big_endian}, end);
        if (item.tag == sequence_end) {
            if (is_open) return;
            continue;
        }
        if (item.tag != item_tag)
            fail(VS_CORRUPT, "(%04x,%04x) at offset %llu where a sequence item should be", item.tag >> 16,
                 item.tag & 0xFFFF, (unsigned long long)(position_ - 8));
        const bool item_is_open = item.length == VS_UNDEFINED_LENGTH;
        if (!item_is_open && item.length > end - position_)
            fail(VS_CORRUPT, "a sequence item claims %llu bytes, %llu are left", (unsigned long long)item.length,
                 (unsigned long long)(end - position_));
        if (!emit && !item_is_open) {
            position_ += item.length;
            continue;
        }
        const uint64_t stop = item_is_open ? end : position_ + item.length;
        if (emit) push(VS_ITEM);
        data_set(form, stop, item_is_open, depth, emit);
        if (emit) push(VS_END);
    }
    if (is_open) fail(VS_TRUNCATED, "the header ends within a sequence, at offset %llu", (unsigned long long)position_);
}

void Parser::skip_fragments(Form form, uint64_t end) {
    for (;;) {
        const Element item = element({false, form.is_big_endian}, end);
        if (item.tag == sequence_end) return;
        if (item.tag != item_tag || item.length > end - position_)
            fail(VS_CORRUPT, "fragments of an icon are broken at offset %llu", (unsigned long long)position_);
        position_ += item.length;
    }
}

void Parser::pixel_data(const Element &e) {
    out_.pixel_tag = e.tag;
    out_.pixel_vr[0] = e.vr[0];
    out_.pixel_vr[1] = e.vr[1];
    out_.pixel_offset = position_;
    out_.pixel_length = e.length;
    if (e.length == VS_UNDEFINED_LENGTH) read_fragments(input_, position_, out_);
    position_ = input_.size();
}

// The encoding that the first element shows, which is right where it contradicts the file meta information.
Form Parser::sniff(Form declared) {
    const uint8_t *p = input_.view(position_, 8);
    if (!p) return declared;
    Form form = declared;
    const uint16_t little = u16(p, false), big = u16(p, true); // a data set begins with a low group, mostly 0008
    if ((declared.is_big_endian ? big : little) > 0xFF && (declared.is_big_endian ? little : big) <= 0xFF)
        form.is_big_endian = !declared.is_big_endian;
    form.is_explicit = is_vr(p + 4);
    return form;
}

// File meta information, PS3.10 7.1: explicit VR little endian, group 0002, its length element not believed.
// False if this is no DICOM file.
bool Parser::meta() {
    const uint8_t *p = input_.view(0, 132);
    const bool has_preamble = p && std::memcmp(p + 128, "DICM", 4) == 0;
    position_ = has_preamble ? 132 : 0;
    p = input_.view(position_, 8);
    if (!p) return has_preamble;
    if (!has_preamble) { // the preamble is missing, or all of the meta information
        const bool is_meta = u16(p, false) == 0x0002 && is_vr(p + 4);
        const bool is_big = u16(p, true) == 0x0008;
        const bool is_first = u16(p, is_big) == 0x0008 && u16(p + 2, is_big) <= 0x0018; // up to SOP Instance UID
        if (!is_meta && !(is_first && (is_vr(p + 4) || u32(p + 4, is_big) <= 256))) return false;
    }
    while ((p = input_.view(position_, 8)) && u16(p, false) == 0x0002) {
        const Form form{is_vr(p + 4), false};
        const Element e = element(form, input_.size());
        if (e.length > input_.size() - position_)
            fail(VS_TRUNCATED, "the file meta information ends after %llu bytes", (unsigned long long)input_.size());
        if (e.tag == 0x00020010 && e.length < 65 + 1) {
            const size_t n = size_t(e.length);
            std::memset(out_.transfer_syntax, 0, sizeof out_.transfer_syntax);
            std::memcpy(out_.transfer_syntax, need(position_, n, input_.size()), std::min<size_t>(n, 64));
            for (size_t i = n; i-- > 0 && out_.transfer_syntax[i] == ' ';) out_.transfer_syntax[i] = 0;
        }
        value(e, form, input_.size(), 0, true);
    }
    return true;
}

void Parser::file() {
    out_.is_dicom = meta();
    if (!out_.is_dicom) return;
    out_.dataset = position_;
    const char *uid = out_.transfer_syntax;
    out_.is_deflated = std::strcmp(uid, "1.2.840.10008.1.2.1.99") == 0;
    if (out_.is_deflated) return;
    const Form form = sniff({*uid && std::strcmp(uid, "1.2.840.10008.1.2"), !std::strcmp(uid, "1.2.840.10008.1.2.2")});
    out_.is_explicit = form.is_explicit;
    out_.is_big_endian = form.is_big_endian;
    data_set(form, input_.size(), false, 0, true);
}

} // namespace vs::part10
