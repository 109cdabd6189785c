"""The regions of a label map: connected sets of pixels of one class."""

import zlib
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

Labels = NDArray[np.uint8]
Window = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class Regions:
    """The R regions of one label map, in the order of their first pixels.

    Attributes:
        index: ``(H, W)``, number of the region at each pixel, -1 = none.
        values: ``(R,)``, class of each.
        areas: ``(R,)``, pixels of each.
        boxes: ``(R, 4)``, first row and column, one past the last ones.
    """

    index: NDArray[np.int32]
    values: Labels
    areas: NDArray[np.int64]
    boxes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.values)

    def window(self, number: int) -> Window:
        """Return the part of the image that a region's box covers."""
        top, left, bottom, right = self.boxes[number].tolist()
        return slice(top, bottom), slice(left, right)


def find_regions(labels: Labels, ignore_index: int = 255) -> Regions:
    """Find the 8-connected regions of all classes at once.

    Rows are cut into runs of one class; runs of neighbouring rows that touch
    are joined. Far cheaper than an image of its own for each class.

    Args:
        labels: ``(H, W)`` of ``uint8``; may be empty.
        ignore_index: Pixels that belong to no region.

    Raises:
        TypeError: If ``labels`` is not ``uint8``.
        ValueError: If it is not ``(H, W)``.
    """
    check_labels(labels)
    width = labels.shape[1]
    flat = labels.ravel()
    fresh = np.ones(flat.size, bool)
    np.not_equal(flat[1:], flat[:-1], out=fresh[1:])
    fresh[:: width or 1] = True
    starts = np.flatnonzero(fresh)
    values = flat[starts]
    lengths = np.diff(starts, append=flat.size)
    used = values != ignore_index
    number = np.full(len(starts), -1, np.int32)
    number[used] = _join_runs(starts, lengths, values, used, labels.shape)
    index = np.repeat(number, lengths).reshape(labels.shape)
    return _measure(
        index, number[used], starts[used], lengths[used], values[used]
    )


def _join_runs(
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    values: Labels,
    used: NDArray[np.bool_],
    shape: tuple[int, int],
) -> NDArray[np.int32]:
    """Return the region of each used run."""
    height, width = shape
    upper = np.flatnonzero(used & (starts < (height - 1) * width))
    row, column = starts[upper] // width, starts[upper] % width
    below = (row + 1) * width
    # The runs below partition their row: those from one column left of the
    # run to one right of it touch it.
    left = np.maximum(column - 1, 0)
    right = np.minimum(column + lengths[upper], width - 1)
    first = np.searchsorted(starts, below + left, 'right') - 1
    last = np.searchsorted(starts, below + right, 'right') - 1
    count = last - first + 1
    ends = np.cumsum(count)
    steps = np.arange(count.sum()) - np.repeat(ends - count, count)
    source, target = np.repeat(upper, count), np.repeat(first, count) + steps
    same = values[source] == values[target]
    rank = np.cumsum(used) - 1
    links = (rank[source[same]], rank[target[same]])
    size = int(used.sum())
    graph = csr_matrix(
        (np.ones(len(links[0]), np.int8), links), shape=(size, size)
    )
    found = connected_components(graph, directed=False)[1]
    # Numbered by the first run, whatever order the library counts in.
    _, firsts = np.unique(found, return_index=True)
    order = np.empty(len(firsts), np.int32)
    order[np.argsort(firsts)] = np.arange(len(firsts))
    return order[found]


def _measure(
    index: NDArray[np.int32],
    number: NDArray[np.int32],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    values: Labels,
) -> Regions:
    """Return the regions, given the runs that make them."""
    count = int(number.max(initial=-1)) + 1
    width = index.shape[1]
    row, column = starts // (width or 1), starts % (width or 1)
    order = np.argsort(number, kind='stable')
    first = np.searchsorted(number[order], np.arange(count))
    boxes = np.zeros((count, 4), np.int64)
    if count:
        top = np.minimum.reduceat(row[order], first)
        left = np.minimum.reduceat(column[order], first)
        bottom = np.maximum.reduceat(row[order], first) + 1
        right = np.maximum.reduceat((column + lengths)[order], first)
        boxes = np.stack([top, left, bottom, right], 1)
    areas = np.bincount(number, lengths, count).astype(np.int64)
    return Regions(index, values[order][first], areas, boxes)


def inner_depth(regions: Regions) -> NDArray[np.float32]:
    """Return each pixel's distance to the nearest pixel of another region.

    Pixels of no region and what lies beyond the image count as others. A
    pixel at the border has depth 1. One distance transform serves all
    regions: it measures to the nearest border pixel, which is one of the
    pixel's own region. Equal on every build of OpenCV.
    """
    height, width = regions.index.shape
    index = regions.index
    inner = np.zeros((height + 2, width + 2), np.uint8)
    middle = inner[1:-1, 1:-1]
    middle[1:-1, 1:-1] = 1
    across = index[:, 1:] == index[:, :-1]
    middle[:, 1:] &= across
    middle[:, :-1] &= across
    down = index[1:] == index[:-1]
    middle[1:] &= down
    middle[:-1] &= down
    distance = cv2.distanceTransform(
        inner, cv2.DIST_L2, cv2.DIST_MASK_PRECISE
    )[1:-1, 1:-1]
    # Even so OpenCV's builds differ in the last bits, and strokes follow: the
    # squares are integers, whose roots are the same everywhere.
    square = np.rint(np.square(distance, dtype=np.float64))
    depth = np.sqrt(square).astype(np.float32) + 1
    depth[index < 0] = 0
    return depth


def check_labels(labels: Labels) -> None:
    """Raise unless ``labels`` is ``(H, W)`` of ``uint8``."""
    if labels.dtype != np.uint8:
        raise TypeError(f'labels must be uint8, got {labels.dtype}')
    if labels.ndim != 2:
        raise ValueError(f'labels must be (H, W), got shape {labels.shape}')


def check_shares(**shares: float) -> None:
    """Raise unless each named number lies in ``[0, 1]``."""
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise ValueError(f'{name} must lie in [0, 1], got {share}')


def image_rng(
    seed: int, image_id: str, purpose: str = ''
) -> np.random.Generator:
    """Return the random numbers of one image of a data set.

    Args:
        seed: Seed of the data set, at least 0.
        image_id: Name of the image.
        purpose: Other purposes get other numbers, so that switching one
            option on leaves what others decide as it was.

    Raises:
        ValueError: If ``seed`` is negative.
    """
    if seed < 0:
        raise ValueError(f'seed must be at least 0, got {seed}')
    entropy = [seed, zlib.crc32(image_id.encode())]
    if purpose:
        entropy.append(zlib.crc32(purpose.encode()))
    return np.random.default_rng(entropy)
