"""Load DICOM series into one shared-memory volume, and use it while it is still arriving."""
