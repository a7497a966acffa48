"""NIfTI-1, through nibabel."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np

from volstream.adapters.files import Voxels, is_colour
from volstream.errors import UsageError

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
RGB24 = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
SCANNER = 1  # NIFTI_XFORM_SCANNER_ANAT


def write(volume: Voxels, path: Path) -> None:
    """The sform holds the affine as it is, tilt included; the qform, which cannot hold shear, only where there is
    none."""
    array = volume.array
    if is_colour(volume):
        if array.dtype != np.uint8:
            raise UsageError(f"NIfTI holds colour of 8 bits, not {array.dtype}")
        array = np.ascontiguousarray(array).view(RGB24)[..., 0]
    affine = LPS_TO_RAS @ volume.affine
    image = nibabel.Nifti1Image(array.T, affine, dtype=array.dtype)
    image.set_sform(affine, SCANNER)
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    is_orthogonal = np.allclose(axes.T @ axes, np.eye(3), atol=1e-5)
    image.set_qform(affine, SCANNER if is_orthogonal else 0, strip_shears=True)
    image.header.set_xyzt_units("mm", "sec")
    image.header["descrip"] = f"volstream, {volume.units or 'stored values'}"
    nibabel.save(image, path)
