#include "dicomjson.h"

#include "json_text.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <vector>

namespace vs {

namespace {

constexpr size_t most_nodes = 32 << 20;
constexpr size_t exact_digits = 18; // of an int64, whatever they are

struct Json : vs_json {
    Json() : vs_json{} {}
    std::vector<vs_json_node> node_list;
    std::string text_bytes;
};

class Reader {
public:
    Reader(const uint8_t *data, size_t size, const vs_wanted *wanted, size_t count, Json &out)
        : text_(data, size), wanted_(wanted), count_(count), out_(out), latest_((VS_MAX_DEPTH + 1) * count) {}

    void instances() {
        const auto instance = [&] {
            if (text_.peek() != '{') fail(VS_CORRUPT, "not a list of instances");
            data_set(VS_JSON_VALUE, 0);
        };
        if (text_.peek() == '[')
            text_.list(instance);
        else
            instance();
        text_.finish();
    }

private:
    void data_set(uint16_t member, unsigned depth);
    void element(size_t index, unsigned depth);
    void value(uint16_t member, bool is_sequence, bool is_listed, unsigned depth);
    void number(uint16_t member);
    size_t find(const JsonText::String &name);
    bool is(const JsonText::String &name, const char *wanted);
    size_t push(vs_json_kind kind, size_t name);
    void close(size_t node) { out_.node_list[node].next = uint32_t(out_.node_list.size()); }

    JsonText text_;
    const vs_wanted *wanted_;
    size_t count_;
    Json &out_;
    std::vector<uint32_t> latest_; // node of each wanted element, by depth; of this data set if it lies behind its node
    std::string name_;
};

size_t Reader::push(vs_json_kind kind, size_t name) {
    auto &nodes = out_.node_list;
    if (nodes.size() >= most_nodes) fail(VS_NO_MEMORY, "the metadata have more than %zu values", most_nodes);
    vs_json_node node{};
    node.next = uint32_t(nodes.size() + 1);
    node.name = uint16_t(name);
    node.kind = uint8_t(kind);
    nodes.push_back(node);
    return nodes.size() - 1;
}

// Index into the wanted table; `count_` if it is none of them. Tags in lower case are taken.
size_t Reader::find(const JsonText::String &name) {
    name_.clear();
    append_text(name, name_);
    if (name_.size() != 8) return count_;
    uint32_t tag = 0;
    for (const char c : name_) {
        const char lower = char(c | 0x20);
        if (c >= '0' && c <= '9')
            tag = tag << 4 | uint32_t(c - '0');
        else if (lower >= 'a' && lower <= 'f')
            tag = tag << 4 | uint32_t(lower - 'a' + 10);
        else
            return count_;
    }
    const auto before = [](const vs_wanted &row, uint32_t value) { return row.tag < value; };
    const vs_wanted *end = wanted_ + count_, *found = std::lower_bound(wanted_, end, tag, before);
    return found != end && found->tag == tag ? size_t(found - wanted_) : count_;
}

bool Reader::is(const JsonText::String &name, const char *wanted) {
    name_.clear();
    append_text(name, name_);
    return name_ == wanted;
}

void Reader::data_set(uint16_t member, unsigned depth) {
    const size_t node = push(VS_JSON_DATA_SET, member);
    text_.object([&](const JsonText::String &name) {
        const size_t index = find(name);
        if (index == count_) return text_.skip();
        uint32_t &latest = latest_[depth * count_ + index];
        if (latest > node) out_.node_list[latest].kind = VS_JSON_OVERWRITTEN;
        latest = 0;
        if (text_.peek() != '{') return text_.skip();
        latest = uint32_t(out_.node_list.size());
        element(index, depth);
    });
    close(node);
}

void Reader::element(size_t index, unsigned depth) {
    const char *vr = wanted_[index].vr;
    const size_t node = push(VS_JSON_ELEMENT, index);
    if (vr[0] == 'p' && vr[1] == 'x') return text_.skip();
    const bool is_sequence = vr[0] == 'S' && vr[1] == 'Q';
    text_.object([&](const JsonText::String &name) {
        if (is(name, "Value"))
            value(VS_JSON_VALUE, is_sequence, false, depth);
        else if (is(name, "InlineBinary"))
            value(VS_JSON_INLINE_BINARY, false, true, depth);
        else if (is(name, "BulkDataURI"))
            value(VS_JSON_BULK_DATA_URI, false, true, depth);
        else
            text_.skip();
    });
    close(node);
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
        const size_t node = push(VS_JSON_STRING, member), offset = out_.text_bytes.size();
        append_text(text_.string(), out_.text_bytes);
        out_.node_list[node].text = {uint32_t(offset), uint32_t(out_.text_bytes.size() - offset)};
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
        out_.node_list[push(VS_JSON_INTEGER, member)].integer = is_negative ? -integer : integer;
        return;
    }
    const size_t node = push(found.is_integer ? VS_JSON_LONG_INTEGER : VS_JSON_REAL, member);
    out_.node_list[node].text = {uint32_t(out_.text_bytes.size()), uint32_t(found.size)};
    out_.text_bytes.append(reinterpret_cast<const char *>(found.data), found.size).push_back('\0');
}

} // namespace

} // namespace vs

extern "C" vs_status vs_read_json(const uint8_t *data, size_t size, const vs_wanted *wanted, size_t count,
                                  vs_json **json) {
    *json = nullptr;
    vs::Json *out = new (std::nothrow) vs::Json;
    if (!out) return VS_NO_MEMORY;
    *json = out;
    try {
        if (size > UINT32_MAX || count > UINT16_MAX) vs::fail(VS_NO_MEMORY, "the metadata have %zu bytes", size);
        vs::Reader(data, size, wanted, count, *out).instances();
        out->nodes = out->node_list.data();
        out->count = out->node_list.size();
        out->texts = out->text_bytes.data();
        return VS_OK;
    } catch (const vs::Error &failure) {
        std::memcpy(out->message, failure.message, sizeof out->message);
        return failure.status;
    } catch (...) { // std::bad_alloc and length_error: nothing else is thrown
        std::strcpy(out->message, "not enough memory for the metadata");
        return VS_NO_MEMORY;
    }
}

extern "C" void vs_json_free(vs_json *json) { delete static_cast<vs::Json *>(json); }
