# cython: language_level=3, boundscheck=False, wraparound=False
"""The only extension module: checks buffers, releases the GIL, turns status codes into exceptions."""

include "native/status.pxi"
include "native/decode.pxi"
include "native/reduced.pxi"
include "native/segment.pxi"
include "native/queue.pxi"
include "native/scan.pxi"
include "native/multipart.pxi"
include "native/dicomjson.pxi"
