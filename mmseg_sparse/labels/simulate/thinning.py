"""Skeletons of binary images."""

import cv2
import numpy as np
from numpy.typing import NDArray


def thin(region: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Thin a binary image to its skeleton, one pixel wide.

    Guo and Hall, "Parallel thinning with two-subiteration algorithms", CACM
    1989 (their first algorithm), the 8 neighbours packed into one byte. A
    connected region stays connected and never vanishes.

    Args:
        region: ``(H, W)`` of 0 and 1.
    """
    image = np.pad(region, 1)
    while True:
        removed = 0
        for table in _THINNING_TABLES:
            neighbours = cv2.filter2D(
                image,
                cv2.CV_8U,
                _NEIGHBOUR_BITS,
                borderType=cv2.BORDER_CONSTANT,
            )
            remove = cv2.LUT(neighbours, table) & image
            removed += cv2.countNonZero(remove)
            image ^= remove
        if not removed:
            return image[1:-1, 1:-1].astype(bool)


# Bit k is neighbour p(k+2) of Guo and Hall: clockwise, from the one above.
_NEIGHBOUR_BITS = np.array(
    [[128, 1, 2], [64, 0, 4], [32, 16, 8]], dtype=np.float32
)


def _thinning_table(step: int) -> NDArray[np.uint8]:
    """Return 1 for each neighbourhood whose centre the step removes."""
    p2, p3, p4, p5, p6, p7, p8, p9 = (
        (np.arange(256) >> bit) & 1 for bit in range(8)
    )
    parts = (
        ((1 - p2) & (p3 | p4))
        + ((1 - p4) & (p5 | p6))
        + ((1 - p6) & (p7 | p8))
        + ((1 - p8) & (p9 | p2))
    )
    pairs = np.minimum(
        (p9 | p2) + (p3 | p4) + (p5 | p6) + (p7 | p8),
        (p2 | p3) + (p4 | p5) + (p6 | p7) + (p8 | p9),
    )
    if step == 0:
        inner = (p6 | p7 | (1 - p9)) & p8
    else:
        inner = (p2 | p3 | (1 - p5)) & p4
    remove = (parts == 1) & (pairs >= 2) & (pairs <= 3) & (inner == 0)
    return remove.astype(np.uint8)


_THINNING_TABLES = (_thinning_table(0), _thinning_table(1))
