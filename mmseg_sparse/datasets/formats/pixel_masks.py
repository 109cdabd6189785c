"""Masks of a whole image as the small regions they mostly are."""

import numpy as np
from numpy.typing import NDArray

from .annotations import PixelRegion


def pixel_regions(
    label: str, mask: NDArray[np.bool_], *, entry: str
) -> tuple[PixelRegion, ...]:
    """Return what is set of a mask, cut to its bounding box.

    An image of hundreds of masks would else take its area for each.

    Args:
        label: Class name.
        mask: Bool ``(H, W)``, of the whole image.
        entry: Where in the source the mask stands.

    Returns:
        One region, or none if nothing is set.
    """
    rows = np.flatnonzero(mask.any(1))
    if not len(rows):
        return ()
    columns = np.flatnonzero(mask.any(0))
    top, left = int(rows[0]), int(columns[0])
    box = mask[top : rows[-1] + 1, left : columns[-1] + 1].copy()
    return (PixelRegion(label, box, (left, top), entry=entry),)
