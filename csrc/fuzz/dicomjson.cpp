// libFuzzer target: the DICOM JSON reader on any bytes. What is an instance must be read alike when it comes three
// times, although then most of it is only compared.
#include "dicomjson.h"

#include <cstdlib>
#include <string>
#include <vector>

namespace {

constexpr vs_wanted wanted[] = {
    {0x00080018, {'U', 'I'}}, {0x00200032, {'D', 'S'}}, {0x0020930E, {'S', 'Q'}}, {0x00280010, {'U', 'S'}},
    {0x00283000, {'S', 'Q'}}, {0x00283006, {'O', 'W'}}, {0x52009229, {'S', 'Q'}}, {0x7FE00010, {'p', 'x'}},
};
constexpr size_t count = sizeof wanted / sizeof *wanted;

void check(bool holds) {
    if (!holds) std::abort();
}

// Nodes [at, end) as text: each reaches no further than the one that holds it, and its text lies in memory.
std::string shown(const vs_json &json, uint32_t at, uint32_t end, unsigned depth) {
    check(depth < 4 * (VS_MAX_DEPTH + 2));
    std::string out;
    while (at != end) {
        const vs_json_node &node = json.nodes[at];
        check(at < node.next && node.next <= end);
        if (node.kind != VS_JSON_OVERWRITTEN) {
            out += std::to_string(node.kind) + ':' + std::to_string(node.name) + '(';
            if (node.kind == VS_JSON_INTEGER) out += std::to_string(node.integer);
            if (node.kind >= VS_JSON_LONG_INTEGER && node.kind <= VS_JSON_STRING) {
                out.append(json.texts + node.text.offset, node.text.length);
                check(node.kind == VS_JSON_STRING || json.texts[node.text.offset + node.text.length] == 0);
            } else {
                out += shown(json, at + 1, node.next, depth + 1);
            }
            out += ')';
        }
        at = node.next;
    }
    return out;
}

// Each instance as text, an element that is repeated as that of the instance before.
vs_status read(const std::string &text, std::vector<std::string> &instances) {
    const std::vector<uint8_t> exact(text.begin(), text.end()); // a byte too far shows
    vs_json *json = vs_json_new(exact.data(), exact.size(), wanted, count);
    std::string elements[count];
    vs_status status;
    while ((status = vs_json_next(json)) == VS_OK && json->count)
        for (uint32_t at = 0; at != json->count; at = json->nodes[at].next) {
            const vs_json_node &instance = json->nodes[at];
            check(instance.kind == VS_JSON_DATA_SET && at < instance.next && instance.next <= json->count);
            instances.emplace_back();
            for (uint32_t inner = at + 1; inner != instance.next; inner = json->nodes[inner].next) {
                const vs_json_node &node = json->nodes[inner];
                check(node.next <= instance.next && node.name < count);
                if (node.kind == VS_JSON_ELEMENT) elements[node.name] = shown(*json, inner, node.next, 0);
                if (node.kind != VS_JSON_OVERWRITTEN) instances.back() += elements[node.name];
            }
        }
    check(status == VS_OK || *json->message);
    vs_json_free(json);
    return status;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const std::string text(reinterpret_cast<const char *>(data), size);
    std::vector<std::string> once, thrice;
    const vs_status status = read(text, once);
    if (status == VS_OK && once.size() == 1 && text.find('[') > text.find('{')) {
        check(read('[' + text + ',' + text + ", " + text + ']', thrice) == VS_OK);
        check(thrice == std::vector<std::string>(3, once[0]));
    }
    return 0;
}
