"""Where the labelled pixels lie in their regions."""

import cv2
import numpy as np
from numpy.typing import NDArray

from .label_map import NO_LABEL, Labels

#: Bins of a distribution over relative distances, of equal width in (0, 1].
BINS = 20


def relative_distance(dense: Labels) -> NDArray[np.float32]:
    r"""Return how far each pixel is from the boundary of its region.

    Let :math:`d_i` be the Euclidean distance between the centres of pixel
    :math:`i` and of the nearest pixel that does not have its class
    :math:`c_i`, void included. The relative distance is

    .. math:: r_i = d_i / \max_{j: c_j = c_i} d_j,

    "normalized by the maximum distance of the corresponding category in the
    image" (BLPSeg, figure 1). The border of the image is not a boundary.

    Args:
        dense: ``(H, W)``, class indices and 255 = void.

    Returns:
        ``(H, W)`` in (0, 1]; 0 on void and on a class that fills the image,
        which has no boundary.
    """
    result = np.zeros(dense.shape, np.float32)
    for value in np.flatnonzero(np.bincount(dense.ravel(), minlength=256)):
        region = dense == value
        if value == NO_LABEL or region.all():
            continue
        window = _window(region)
        region = region[window]
        distance = cv2.distanceTransform(
            region.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE
        )
        result[window][region] = (distance / distance.max())[region]
    return result


def _window(region: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the box around a region, one pixel wider where there is room.

    For each pixel of the region, the nearest pixel outside lies in the box.
    """
    rows = np.flatnonzero(region.any(1))
    columns = np.flatnonzero(region.any(0))
    return (
        slice(max(0, rows[0] - 1), rows[-1] + 2),
        slice(max(0, columns[0] - 1), columns[-1] + 2),
    )


def distance_bins(distance: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the bin of each relative distance.

    Args:
        distance: Of any shape, in (0, 1].

    Returns:
        Indices of the same shape; bin k holds (k, k + 1] / :data:`BINS`.
    """
    # The small number keeps 0.35, say, in its bin in float32.
    return np.ceil(distance * BINS - 1e-4).astype(np.int64) - 1


def distribution(distance: NDArray[np.floating]) -> NDArray[np.int64]:
    """Count relative distances by bin, without those that are 0."""
    bins = distance_bins(distance[distance > 0])
    return np.bincount(bins, minlength=BINS)
