#include "codec.h"

namespace vs {

const Codec jpeg_2000_codec{{"jpeg-2000", "", "", "", "absent", 0}, nullptr, nullptr};

} // namespace vs
