#include "codec.h"

namespace vs {

const Codec jpeg_lossless_codec{{"jpeg-lossless", "", "", "", "absent", 0}, nullptr, nullptr};

} // namespace vs
