"""Images that show the same, whatever their size and format."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Thumbnail = NDArray[np.uint8]

#: Side of a thumbnail. Scaling and JPEG of quality 20 change those of CamVid
#: and ACDC by an RMS of at most 1.1 grey levels and 3 % of the standard
#: deviation, those of drawings by 2.2 and 7 %. Images of two patients, or of
#: two drives, differ by at least 23 and 38 %.
SIDE = 16
#: Largest RMS difference of copies, in grey levels and as a share of the
#: standard deviation of the thumbnail.
LARGEST = 2.5, 0.08
#: Thumbnails with a smaller standard deviation, of empty images, say nothing.
LEAST_CONTRAST = 4.0
_CHUNK = 4096


def thumbnail(path: str) -> Thumbnail | None:
    """Return an image in grey, ``(16, 16)``; None if it cannot be read."""
    try:
        # JPEG is decoded at this size, which is faster.
        picture = cv2.imread(path, cv2.IMREAD_REDUCED_GRAYSCALE_4)
        if picture is not None and min(picture.shape) < 2 * SIDE:
            picture = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
    except cv2.error:
        return None
    if picture is None:
        return None
    small = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def find_copies(
    first: Sequence[Thumbnail | None], second: Sequence[Thumbnail | None]
) -> list[tuple[int, int]]:
    """Return pairs of copies: for each of the first, the nearest second.

    Args:
        first: Thumbnails.
        second: Others.

    Returns:
        ``(index in first, index in second)``.
    """
    ours, own = _stacked(first)
    theirs, other = _stacked(second)
    if not len(own) or not len(other):
        return []
    pairs = []
    for start in range(0, len(own), _CHUNK):
        part = ours[start : start + _CHUNK]
        square = (
            (part**2).sum(1)[:, None]
            + (theirs**2).sum(1)
            - 2 * part @ theirs.T
        )  # of whole numbers below 2^24: exact
        nearest = square.argmin(1)
        rms = np.sqrt(square.min(1) / SIDE**2)
        contrast = part.std(1)
        same = (rms <= LARGEST[0]) & (rms <= LARGEST[1] * contrast)
        pairs += [
            (int(own[start + k]), int(other[nearest[k]]))
            for k in np.flatnonzero(same)
        ]
    return pairs


def _stacked(
    thumbnails: Sequence[Thumbnail | None],
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Return those with contrast, ``(N, 256)``, and their indices."""
    rows = {
        k: t.ravel() for k, t in enumerate(thumbnails)
        if t is not None and t.std() >= LEAST_CONTRAST
    }  # fmt: skip
    stacked = np.array([*rows.values()], np.float32)
    return stacked.reshape(len(rows), SIDE**2), np.array([*rows], np.intp)
