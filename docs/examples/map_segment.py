"""Map a volume that volstream is loading in another process, without volstream. Layout: docs/segment.md.

usage: python map_segment.py /volstream-0123456789abcdef0123456789abcdef
"""

import json
import mmap
import os
import struct
import sys
import zlib

import numpy as np


def map_segment(name):
    """(voxels, states, ranges, metadata, live words) of a segment; the arrays are live and read-only."""
    descriptor = os.open("/dev/shm" + name if name.startswith("/volstream-") else name, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        if os.fstat(descriptor).st_uid != os.geteuid():
            raise ValueError("another user's segment")
        memory = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    finally:
        os.close(descriptor)
    header = struct.Struct("<8sII14QIIII").unpack_from(memory)
    magic, version, _, total, live, _, text, text_length, states, slices, ranges, _, voxels, voxels_length = header[:14]
    if magic != b"VOLSTRM\0" or version != 1 or total != len(memory):
        raise ValueError("not a volstream segment of version 1")
    if struct.unpack_from("<I", memory, 144)[0] != zlib.crc32(memory[:144]):
        raise ValueError("the header is damaged")
    metadata = json.loads(memory[text : text + text_length])
    array = np.frombuffer(memory, metadata["dtype"], voxels_length // np.dtype(metadata["dtype"]).itemsize, voxels)
    return (
        array.reshape(metadata["shape"]),
        np.frombuffer(memory, np.uint8, slices, states),
        np.frombuffer(memory, "<f8", 2 * slices, ranges).reshape(-1, 2),
        metadata,
        np.frombuffer(memory, "<u4", 5, live),
    )


if __name__ == "__main__":
    array, states, ranges, metadata, (sequence, activity, full, failed, covered) = map_segment(sys.argv[1])
    print(f"{array.shape} {array.dtype} {metadata.get('units', '')}: {full} of {states.size} slices, {failed} failed")
    for index in np.flatnonzero(states == 8):  # only these voxels mean something
        print(index, *ranges[index])
