// j2k_mend.h - a cut codestream made whole again, without the packets that it lacks.
#pragma once

#include "j2k_markers.h"

namespace vs {

// The same codestream with every packet that is there in full, and empty ones (B.10.3) for the rest: well formed, so that
// any decoder reads it in its strictest mode. Those for cut streams differ between libraries, and some versions read
// beyond their buffers in them. Throws if the order of packets is not by resolution, or not even one is whole. The data
// are in SCRATCH_STREAM.
J2kHeader mend_j2k(const J2kHeader &header);

} // namespace vs
