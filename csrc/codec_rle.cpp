#include "codec.h"

namespace vs {

const Codec rle_codec{{"rle", "", "", "", "absent", 0}, nullptr, nullptr};

} // namespace vs
