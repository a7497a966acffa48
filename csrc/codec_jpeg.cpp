#include "codec.h"

namespace vs {

const Codec jpeg_codec{{"jpeg", "", "", "", "absent", 0}, nullptr, nullptr};

} // namespace vs
