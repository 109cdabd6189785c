"""Rectangles inside the regions of a dense mask."""

import numpy as np
from numpy.typing import NDArray

from .randomness import image_rng
from .regions import Labels, check_labels, check_shares

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
    were published without the program that made them: places are drawn
    uniformly among the pixels that have a class; at each, the largest
    rectangle that contains it and stays in its class is labelled (of several
    as large, the first found), until the share is reached. Classes get, in
    the mean, of the labels what they have of the image, but for parts too
    thin for a block.

    Args:
        labels: Dense mask, ``(H, W)`` of ``uint8``, ``ignore_index`` = void.
        seed: Seed of the data set, at least 0.
        image_id: Name of the image, so that each has blocks of its own.
        share: Share to label of the pixels that have a class. It is met to
            the pixel, rounded down: the last block is cut.
        min_size: Least height and width of a block; blocks at the places
            that are too thin for it are used only if all others do not give
            the share.
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
    blocks = np.full_like(labels, ignore_index)
    left = int(share * len(places) + 1e-9)
    reach = _Reach(labels, max_size)
    for least in (min_size, 1):
        left = _cover(labels, blocks, covered, places, reach, left, least)
    return blocks


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
    for start in range(0, len(places), _BATCH):
        batch = places[start : start + _BATCH]
        for place in batch[~covered.flat[batch]].tolist():
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
                fresh &= np.cumsum(fresh).reshape(fresh.shape) <= left
            left -= np.count_nonzero(fresh)
            blocks[window][fresh] = labels[y, x]
            covered[window] = True
    return left


class _Reach:
    """The largest rectangles of one class around pixels."""

    def __init__(self, labels: Labels, max_size: int) -> None:
        self.labels = labels
        self.max_size = max_size
        column = np.arange(labels.shape[1])
        changes = labels[:, 1:] != labels[:, :-1]
        first = np.zeros(labels.shape, np.int64)
        first[:, 1:] = np.where(changes, column[1:], 0)
        last = np.full(labels.shape, labels.shape[1] - 1)
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
