"""Rectangles inside the regions of a dense mask."""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from .regions import Labels, check_labels, check_shares, image_rng

#: Places tried at once; those that a block has covered meanwhile are passed.
_BATCH = 256


def simulate_blocks(
    labels: Labels,
    *,
    seed: int,
    image_id: str = '',
    share: float = 0.1,
    min_size: int = 4,
    max_size: int = 64,
    ignore_index: int = 255,
) -> Labels:
    """Label rectangles of one class each, up to a share of the image.

    This is how we read the block supervision of TEL (Liang et al., "Tree
    energy loss", CVPR 2022: 10, 20 and 50 % of each image), whose labels
    were published without the program that made them. Each class gets the
    share of its own pixels in the image, so that thin classes are learned,
    too. Places are drawn uniformly among the pixels of the class; at each,
    the largest rectangle that contains it and stays in the class is labelled,
    until the share is reached.

    Args:
        labels: Dense mask, ``(H, W)`` of ``uint8``, ``ignore_index`` = void.
        seed: Seed of the data set, at least 0.
        image_id: Name of the image, so that each has blocks of its own.
        share: Share to label of each class's pixels. It is met to the pixel,
            rounded up or down so that all classes together have it, too: the
            last block of a class is cut.
        min_size: Least height and width of a block. Places that are too
            thin for it are used only if all others do not give the share.
        max_size: Greatest height and width of a block.
        ignore_index: Id of void in ``labels`` and of "no label" in the result.

    Returns:
        A label map like ``labels``: the class on blocks, else
        ``ignore_index``.

    Raises:
        TypeError: If ``labels`` is not ``uint8``.
        ValueError: If an argument is out of range.
    """
    check_labels(labels)
    check_shares(share=share)
    if not 1 <= min_size <= max_size:
        raise ValueError(
            'sizes must be 1 <= min_size <= max_size, got '
            f'{min_size} and {max_size}'
        )
    rng = image_rng(seed, image_id)
    covered = labels == ignore_index
    places = rng.permutation(np.flatnonzero(~covered).astype(np.int32))
    classes = labels.ravel()[places]
    blocks = np.full_like(labels, ignore_index)
    reach = _Reach(labels, max_size)
    roomy = _roomy(labels, min_size).ravel()[places] > 0
    for own, left in _quotas(classes, share):
        for least, some in ((min_size, own[roomy[own]]), (1, own)):
            left = _cover(
                labels, blocks, covered, places[some], reach, left, least
            )
    return blocks


def _quotas(
    classes: Labels, share: float
) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Yield where each class is, and how many pixels of it to label."""
    seen = done = 0
    for value in np.flatnonzero(np.bincount(classes)).tolist():
        own = np.flatnonzero(classes == value)
        seen += len(own)
        quota = int(share * seen + 1e-9) - done
        done += quota
        yield own, quota


def _roomy(labels: Labels, size: int) -> Labels:
    """Tell which pixels lie in a square of this size of one class.

    Only those can lie in a block that is nowhere narrower.
    """
    square = np.ones((size, size), np.uint8)
    # Of the square whose top left pixel it is; what lies outside is 255.
    least = cv2.erode(labels, square, anchor=(0, 0))
    greatest = cv2.dilate(
        labels,
        square,
        anchor=(0, 0),
        borderType=cv2.BORDER_CONSTANT,
        borderValue=255,
    )
    pure = (least == greatest).astype(np.uint8)
    around = cv2.dilate(pure, square, anchor=(size - 1, size - 1))
    return np.asarray(around, np.uint8)


def _cover(
    labels: Labels,
    blocks: Labels,
    covered: NDArray[np.bool_],
    places: NDArray[np.int32],
    reach: '_Reach',
    left: int,
    least: int,
) -> int:
    """Label blocks until ``left`` pixels are; return what is still left."""
    width = labels.shape[1]
    flat = covered.ravel()  # a view: it sees each new block
    for start in range(0, len(places), _BATCH):
        batch = places[start : start + _BATCH]
        for place in batch[~flat[batch]].tolist():
            if left == 0:
                return 0
            y, x = divmod(place, width)
            if covered[y, x]:
                continue
            top, first, bottom, last = reach.block(y, x)
            if min(bottom - top, last - first) < least:
                continue
            window = np.s_[top:bottom, first:last]
            fresh = ~covered[window]
            if np.count_nonzero(fresh) > left:
                fresh = _cut(fresh, y - top, x - first, left)
            left -= np.count_nonzero(fresh)
            blocks[window][fresh] = labels[y, x]
            covered[window] = True
    return left


def _cut(
    fresh: NDArray[np.bool_], row: int, column: int, left: int
) -> NDArray[np.bool_]:
    """Keep ``left`` pixels of a block: a smaller one around its place."""
    height, width = fresh.shape
    y, x = np.ogrid[:height, :width]
    far = np.maximum(abs(y - row) / height, abs(x - column) / width)
    order = np.argsort(np.where(fresh, far, np.inf), axis=None, kind='stable')
    kept = np.zeros_like(fresh)
    kept.flat[order[:left]] = True
    return kept


class _Reach:
    """The largest rectangles of one class around pixels."""

    def __init__(self, labels: Labels, max_size: int) -> None:
        self.labels = labels
        self.max_size = max_size
        column = np.arange(labels.shape[1], dtype=np.int32)
        changes = labels[:, 1:] != labels[:, :-1]
        first = np.zeros(labels.shape, np.int32)
        first[:, 1:] = np.where(changes, column[1:], 0)
        last = np.full(labels.shape, labels.shape[1] - 1, np.int32)
        last[:, :-1] = np.where(changes, column[:-1], last[:, :-1])
        # How many pixels of the same class lie left and right of each.
        self.left = column - np.maximum.accumulate(first, 1)
        self.right = np.minimum.accumulate(last[:, ::-1], 1)[:, ::-1] - column

    def block(self, y: int, x: int) -> tuple[int, int, int, int]:
        """Return first row and column, and one past the last ones."""
        size = self.max_size
        value = self.labels[y, x]
        above = slice(y, y - size if y >= size else None, -1)
        below = slice(y, y + size)
        sides = []
        for rows in (above, below):
            other = self.labels[rows, x] != value
            count = int(other.argmax()) if other.any() else len(other)
            for reach in (self.left, self.right):
                sides.append(np.minimum.accumulate(reach[rows, x][:count]))
        left_up, right_up, left_down, right_down = sides
        up = np.arange(len(left_up))[:, None]
        down = np.arange(len(left_down))
        left = np.minimum(left_up[:, None], left_down)
        right = np.minimum(right_up[:, None], right_down)
        area = (up + down + 1) * np.minimum(left + right + 1, size)
        # Of equal areas the one whose middle is nearest to the place.
        score = np.where(up + down < size, area * 2 * size, -1)
        i, j = divmod(int((score - abs(up - down)).argmax()), len(down))
        before, after = int(left[i, j]), int(right[i, j])
        before = max(
            min(before, (size - 1) // 2), min(before, size - 1 - after)
        )
        after = min(after, size - 1 - before)
        return y - i, x - before, y + j + 1, x + after + 1
