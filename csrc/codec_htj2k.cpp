#include "codec.h"

namespace vs {

const Codec htj2k_codec{{"htj2k", "", "", "", "absent", 0}, nullptr, nullptr};

} // namespace vs
