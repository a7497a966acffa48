#include "codec.h"

namespace vs {

const Codec jpeg_ls_codec{{"jpeg-ls", "", "", "", "absent", 0}, nullptr, nullptr};

} // namespace vs
