#include "dicomjson.h"

#include "json_text.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

namespace vs {

namespace {

constexpr size_t most_nodes = 32 << 20;  // of one instance
constexpr size_t usual_nodes = 32 << 10; // at a time: still in the cache when they are looked at
constexpr size_t most_members = 4096;    // that are looked for in the next instance
constexpr size_t exact_digits = 18;      // of an int64, whatever they are

class Reader : public vs_json {
public:
    Reader(const uint8_t *data, size_t size, const vs_wanted *wanted, size_t count)
        : vs_json{}, text_(data, size), wanted_(wanted), count_(count), latest_((VS_MAX_DEPTH + 1) * count) {}

    void read();

private:
    struct Member { // of an instance: its text, name and all
        const uint8_t *text;
        size_t size;  // 0 if it must be read anew
        size_t index; // into the wanted table; `count_` if it is not wanted
        size_t node;  // that of its data set if it has none
    };

    void instance();
    Member member(size_t data_set, size_t &from);
    void data_set(uint16_t member, unsigned depth);
    size_t attribute(size_t index, size_t data_set, unsigned depth);
    uint32_t &supersede(size_t index, size_t data_set, unsigned depth);
    size_t element(size_t index, unsigned depth);
    void value(uint16_t member, bool is_sequence, bool is_listed, unsigned depth);
    void number(uint16_t member);
    std::string_view plain(const JsonText::String &name);
    size_t find(std::string_view name, size_t &from) const;
    size_t push(vs_json_kind kind, size_t name);
    void close(size_t node) { nodes_[node].next = uint32_t(nodes_.size()); }

    JsonText text_;
    bool has_begun_ = false, is_list_ = false, goes_on_ = true;
    const vs_wanted *wanted_;
    size_t count_;
    std::vector<vs_json_node> nodes_;
    std::string texts_;
    std::vector<uint32_t> latest_; // node of each wanted element, by depth; of this data set if it lies behind its node
    std::vector<Member> members_, before_; // of this instance and the one before
    std::string name_;
};

void Reader::read() {
    nodes_.clear();
    texts_.clear();
    std::fill(latest_.begin(), latest_.end(), 0);
    if (!has_begun_) {
        if (text_.left() > UINT32_MAX) fail(VS_NO_MEMORY, "%zu bytes of metadata", text_.left());
        has_begun_ = true;
        is_list_ = text_.peek() == '[';
        goes_on_ = !is_list_ || text_.begins('[', ']');
    }
    while (goes_on_ && nodes_.size() < usual_nodes) {
        if (text_.peek() != '{') fail(VS_CORRUPT, "not a list of instances");
        instance();
        goes_on_ = is_list_ && text_.goes_on(']');
    }
    if (!goes_on_) text_.finish();
    nodes = nodes_.data();
    count = nodes_.size();
    texts = texts_.data();
}

size_t Reader::push(vs_json_kind kind, size_t name) {
    if (nodes_.size() >= most_nodes) fail(VS_NO_MEMORY, "an instance has more than %zu values", most_nodes);
    vs_json_node node{};
    node.next = uint32_t(nodes_.size() + 1);
    node.name = uint16_t(name);
    node.kind = uint8_t(kind);
    nodes_.push_back(node);
    return nodes_.size() - 1;
}

// The text of a name, as long as no other is asked for.
std::string_view Reader::plain(const JsonText::String &name) {
    if (name.is_plain) return {reinterpret_cast<const char *>(name.data), name.size};
    name_.clear();
    append_text(name, name_);
    return name_;
}

// Index into the wanted table; `count_` if it is none of them. Tags in lower case are taken. `from` is where the search
// before has ended: tags come in ascending order (PS3.18 F.2.2), so this one ends near.
size_t Reader::find(std::string_view name, size_t &from) const {
    if (name.size() != 8) return count_;
    uint32_t tag = 0;
    unsigned wrong = 0;
    for (const char c : name) {
        const uint8_t digit = hex_digits[uint8_t(c)];
        wrong |= digit;
        tag = tag << 4 | (digit & 15);
    }
    if (wrong > 15) return count_;
    if (from && wanted_[from - 1].tag >= tag) from = 0;
    while (from < count_ && wanted_[from].tag < tag) ++from;
    return from < count_ && wanted_[from].tag == tag ? from : count_;
}

void Reader::instance() {
    const size_t node = push(VS_JSON_DATA_SET, VS_JSON_VALUE);
    members_.swap(before_);
    members_.clear();
    size_t from = 0;
    for (bool more = text_.begins('{', '}'); more; more = text_.goes_on('}')) {
        const Member found = member(node, from);
        if (members_.size() < most_members) members_.push_back(found);
    }
    close(node);
    for (Member &member : members_)
        if (nodes_[member.node].kind == VS_JSON_OVERWRITTEN) member.size = 0;
}

// Most attributes are the same in one instance after the other. Where the bytes are, too, they are not read again.
Reader::Member Reader::member(size_t data_set, size_t &from) {
    text_.peek();
    Member member = members_.size() < before_.size() ? before_[members_.size()] : Member{};
    if (text_.repeats(member.text, member.size)) {
        member.node = data_set;
        if (member.index != count_) {
            uint32_t &latest = supersede(member.index, data_set, 0);
            member.node = latest = uint32_t(push(VS_JSON_REPEATED, member.index));
        }
    } else {
        member.text = text_.at();
        member.index = find(plain(text_.name()), from);
        member.node = attribute(member.index, data_set, 0);
        member.size = text_.at()[-1] == '}' ? size_t(text_.at() - member.text) : 0; // a number could go on
    }
    return member;
}

void Reader::data_set(uint16_t member, unsigned depth) {
    const size_t node = push(VS_JSON_DATA_SET, member);
    size_t from = 0;
    text_.object([&](const JsonText::String &name) { attribute(find(plain(name), from), node, depth); });
    close(node);
}

// The node of an attribute; that of its data set if it has none.
size_t Reader::attribute(size_t index, size_t data_set, unsigned depth) {
    if (index != count_) {
        uint32_t &latest = supersede(index, data_set, depth);
        if (text_.peek() == '{') return latest = uint32_t(element(index, depth));
    }
    text_.skip();
    return data_set;
}

// Of attributes that come twice, the last one counts.
uint32_t &Reader::supersede(size_t index, size_t data_set, unsigned depth) {
    uint32_t &latest = latest_[depth * count_ + index];
    if (latest > data_set) nodes_[latest].kind = VS_JSON_OVERWRITTEN;
    return latest = 0;
}

size_t Reader::element(size_t index, unsigned depth) {
    const char *vr = wanted_[index].vr;
    const size_t node = push(VS_JSON_ELEMENT, index);
    if (vr[0] == 'p' && vr[1] == 'x') {
        text_.skip();
        return node;
    }
    const bool is_sequence = vr[0] == 'S' && vr[1] == 'Q';
    text_.object([&](const JsonText::String &string) {
        const std::string_view name = plain(string);
        if (name == "Value")
            value(VS_JSON_VALUE, is_sequence, false, depth);
        else if (name == "InlineBinary")
            value(VS_JSON_INLINE_BINARY, false, true, depth);
        else if (name == "BulkDataURI")
            value(VS_JSON_BULK_DATA_URI, false, true, depth);
        else
            text_.skip();
    });
    close(node);
    return node;
}

void Reader::value(uint16_t member, bool is_sequence, bool is_listed, unsigned depth) {
    const auto word = [&](vs_json_kind kind, const char *spelled) {
        text_.word(spelled);
        push(kind, member);
    };
    const auto skipped = [&](vs_json_kind kind) {
        text_.skip();
        push(kind, member);
    };
    switch (text_.peek()) {
    case 'n': return word(VS_JSON_NULL, "null");
    case 'f': return word(VS_JSON_FALSE, "false");
    case 't': return word(VS_JSON_TRUE, "true");
    case '"': {
        const size_t node = push(VS_JSON_STRING, member), offset = texts_.size();
        append_text(text_.string(), texts_);
        nodes_[node].text = {uint32_t(offset), uint32_t(texts_.size() - offset)};
        return;
    }
    case '[': {
        if (is_listed) return skipped(VS_JSON_NESTED);
        const size_t node = push(VS_JSON_LIST, member);
        text_.list([&] { value(member, is_sequence, true, depth); });
        return close(node);
    }
    case '{':
        if (!is_sequence) return skipped(VS_JSON_NESTED);
        if (depth == VS_MAX_DEPTH) return skipped(VS_JSON_TOO_DEEP);
        return data_set(member, depth + 1);
    default: return number(member);
    }
}

void Reader::number(uint16_t member) {
    const JsonText::Number found = text_.number();
    if (found.is_integer && found.size <= exact_digits) { // the sign counts as one: none is lost
        const bool is_negative = *found.data == '-';
        int64_t integer = 0;
        for (size_t i = is_negative; i < found.size; ++i) integer = integer * 10 + (found.data[i] - '0');
        nodes_[push(VS_JSON_INTEGER, member)].integer = is_negative ? -integer : integer;
        return;
    }
    const size_t node = push(found.is_integer ? VS_JSON_LONG_INTEGER : VS_JSON_REAL, member);
    nodes_[node].text = {uint32_t(texts_.size()), uint32_t(found.size)};
    texts_.append(reinterpret_cast<const char *>(found.data), found.size).push_back('\0');
}

} // namespace

} // namespace vs

extern "C" vs_json *vs_json_new(const uint8_t *data, size_t size, const vs_wanted *wanted, size_t count) {
    try {
        return new vs::Reader(data, size, wanted, count);
    } catch (...) { // std::bad_alloc and length_error: nothing else is thrown
        return nullptr;
    }
}

extern "C" vs_status vs_json_next(vs_json *json) {
    try {
        static_cast<vs::Reader *>(json)->read();
        return VS_OK;
    } catch (const vs::Error &failure) {
        std::memcpy(json->message, failure.message, sizeof json->message);
        return failure.status;
    } catch (...) {
        std::strcpy(json->message, "not enough memory for the metadata");
        return VS_NO_MEMORY;
    }
}

extern "C" void vs_json_free(vs_json *json) { delete static_cast<vs::Reader *>(json); }
