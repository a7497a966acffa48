"""Bytes to voxels in place: decoding, workers, child processes, and the pipeline that feeds them."""
