"""Map a volume that another process loads, by its name and without volstream. Layout: docs/segment.md."""

import json
import mmap
import os
import struct
import sys
import zlib
from pathlib import Path

import numpy as np


def map_segment(name):
    """(voxels, states, ranges, metadata, live words) of a segment; the arrays are live and read-only."""
    with Path("/dev/shm" + name if name.startswith("/volstream-") else name).open("rb") as file:
        if os.fstat(file.fileno()).st_uid != os.geteuid():
            raise ValueError("another user's segment")
        memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
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
