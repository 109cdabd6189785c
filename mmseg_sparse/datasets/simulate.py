"""Sparse labels drawn from dense masks, the way a person would.

Everything is deterministic in ``(seed, image_id)`` and independent of what
was simulated before, so any number of workers draws the same strokes.
"""

import zlib

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

Labels = NDArray[np.uint8]

#: Regions longer than this are thinned at a lower resolution.
_THINNING_SIZE = 128


def simulate_scribbles(
    labels: Labels,
    *,
    seed: int,
    image_id: str = '',
    thickness: int = 3,
    length: tuple[float, float] = (0.4, 0.8),
    jitter: float = 0.3,
    drop: float = 0.0,
    min_area: int = 60,
    small_area: int = 400,
    small_drop: float = 0.4,
    ignore_index: int = 255,
) -> Labels:
    """Draw human-like strokes on the regions of a dense mask.

    A region is an 8-connected set of pixels of one class. Its stroke follows
    the longest path of its skeleton, smoothed and shaken, and covers a random
    part of it; what would fall outside the region is cut away.

    Args:
        labels: Dense mask, ``(H, W)`` of ``uint8``, ``ignore_index`` = void.
        seed: Seed of the data set, at least 0.
        image_id: Name of the image, so that each has strokes of its own.
        thickness: Width of the strokes in pixels.
        length: Least and greatest share of the path that a stroke covers.
        jitter: How far the hand strays, as a share of the distance between
            path and border of the region, in ``[0, 1]``.
        drop: Probability that a region has no stroke.
        min_area: Regions of fewer pixels never have a stroke.
        small_area: Regions of fewer pixels are small,
        small_drop: and have no stroke with this probability.
        ignore_index: Id of void in ``labels`` and of "no label" in the result.

    Returns:
        A label map like ``labels``: the class on strokes, else
        ``ignore_index``.

    Raises:
        TypeError: If ``labels`` is not ``uint8``.
        ValueError: If an argument is out of range.
    """
    _check_labels(labels)
    _check_ranges(length, thickness, jitter=jitter, drop=drop,
                  small_drop=small_drop)  # fmt: skip
    rng = image_rng(seed, image_id)
    strokes = np.full_like(labels, ignore_index)
    for value in np.unique(labels[labels != ignore_index]).tolist():
        count, index, stats, _ = cv2.connectedComponentsWithStats(
            (labels == value).astype(np.uint8), connectivity=8
        )
        for number in range(1, count):
            x, y, w, h, area = stats[number].tolist()
            chance = drop + (1 - drop) * small_drop * (area < small_area)
            if area < min_area or rng.random() < chance:
                continue
            window = np.s_[y : y + h, x : x + w]
            region = index[window] == number
            stroke = draw_stroke(
                region, rng, thickness=thickness, length=length, jitter=jitter
            )
            strokes[window][stroke] = value
    return strokes


def image_rng(seed: int, image_id: str) -> np.random.Generator:
    """Return the random numbers of one image of a data set."""
    if seed < 0:
        raise ValueError(f'seed must be at least 0, got {seed}')
    return np.random.default_rng([seed, zlib.crc32(image_id.encode())])


def draw_stroke(
    region: NDArray[np.bool_],
    rng: np.random.Generator,
    *,
    thickness: int,
    length: tuple[float, float],
    jitter: float,
) -> NDArray[np.bool_]:
    """Draw one stroke along ``region`` and return its pixels.

    Arguments are those of :func:`simulate_scribbles`.
    """
    path = longest_path(region)
    share = rng.uniform(*length)
    start = rng.uniform(0, 1 - share) * (len(path) - 1)
    stop = start + share * (len(path) - 1)
    path = path[int(start) : int(np.ceil(stop)) + 1]
    path = _shake(path, region, rng, jitter)
    canvas = np.zeros(region.shape, np.uint8)
    points = np.rint(path[:, ::-1]).astype(np.int32)  # as (x, y)
    cv2.polylines(canvas, [points], False, 1)
    # Not OpenCV's thickness: some versions draw 5 pixels when asked for 3.
    canvas = cv2.dilate(canvas, _brush(thickness))
    stroke = (canvas > 0) & region
    if not stroke.any():  # a hand that missed a thin region
        stroke[_deepest(region)] = True
    return stroke


def _brush(thickness: int) -> NDArray[np.uint8]:
    """Return a disc of this diameter."""
    offset = np.abs(np.arange(thickness) - (thickness - 1) / 2)
    inside = np.hypot(offset[:, None], offset) < thickness / 2
    return inside.astype(np.uint8)


def longest_path(region: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the longest path of a connected region's skeleton.

    The path joins the two ends of the skeleton that are farthest apart along
    it (found by two sweeps: exact on trees, a long path where holes make
    loops). Large regions are thinned at a lower resolution.

    Args:
        region: One 8-connected region, ``(H, W)``.

    Returns:
        Pixel coordinates ``(y, x)`` along the path, ``(L, 2)``, L >= 1.

    Raises:
        ValueError: If ``region`` is empty.
    """
    if not region.any():
        raise ValueError('region has no pixel')
    height, width = region.shape
    factor = max(1.0, max(height, width) / _THINNING_SIZE)
    size = (max(1, round(width / factor)), max(1, round(height / factor)))
    small = region.astype(np.uint8)
    if factor > 1:
        # A share of area, so that thin parts stay connected.
        small = cv2.resize(small * 255, size, interpolation=cv2.INTER_AREA)
        small = (small >= 64).astype(np.uint8)
    skeleton = np.argwhere(thin(small))
    if len(skeleton) == 0:  # too thin for the lower resolution
        skeleton = np.argwhere(thin(region.astype(np.uint8)))
        size = (width, height)
    path = _farthest(skeleton)
    scale = np.array([height / size[1], width / size[0]])
    return (path + 0.5) * scale - 0.5


def _farthest(pixels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the shortest path between the pixels farthest apart."""
    height, width = pixels.max(0) + 1
    number = np.full((height + 2, width + 2), -1)
    number[pixels[:, 0] + 1, pixels[:, 1] + 1] = np.arange(len(pixels))
    rows, columns, lengths = [], [], []
    for dy, dx in ((0, 1), (1, -1), (1, 0), (1, 1)):
        other = number[pixels[:, 0] + 1 + dy, pixels[:, 1] + 1 + dx]
        linked = np.flatnonzero(other >= 0)
        rows.append(linked)
        columns.append(other[linked])
        lengths.append(np.full(len(linked), np.hypot(dy, dx)))
    graph = coo_matrix(
        (
            np.concatenate(lengths),
            (np.concatenate(rows), np.concatenate(columns)),
        ),
        shape=(len(pixels), len(pixels)),
    ).tocsr()
    distance = dijkstra(graph, directed=False, indices=0)
    start = int(np.where(np.isfinite(distance), distance, -1).argmax())
    distance, previous = dijkstra(
        graph, directed=False, indices=start, return_predecessors=True
    )
    step = int(np.where(np.isfinite(distance), distance, -1).argmax())
    path = [step]
    while step != start:
        step = int(previous[step])
        path.append(step)
    return pixels[path]


def _inner_distance(region: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return each pixel's distance to the region's border."""
    padded = np.pad(region, 1).astype(np.uint8)
    return cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1]


def _deepest(region: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the pixel farthest from the region's border."""
    y, x = divmod(int(_inner_distance(region).argmax()), region.shape[1])
    return y, x


def _shake(
    path: NDArray[np.float64],
    region: NDArray[np.bool_],
    rng: np.random.Generator,
    jitter: float,
) -> NDArray[np.float64]:
    """Smooth a path and let the hand stray from it, slowly varying."""
    y, x = np.clip(np.rint(path), 0, np.array(region.shape) - 1).astype(int).T
    room = _inner_distance(region)[y, x][:, None]
    room = np.minimum(room, len(path) / 4)
    smooth = gaussian_filter1d(path, max(1.0, len(path) / 25), axis=0,
                               mode='nearest')  # fmt: skip
    noise = gaussian_filter1d(
        rng.standard_normal(path.shape), max(1.0, len(path) / 6), axis=0,
        mode='wrap',
    )  # fmt: skip
    noise /= max(float(np.abs(noise).max()), 1e-6)
    return smooth + jitter * room * noise


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


def _check_labels(labels: Labels) -> None:
    if labels.dtype != np.uint8:
        raise TypeError(f'labels must be uint8, got {labels.dtype}')
    if labels.ndim != 2:
        raise ValueError(f'labels must be (H, W), got shape {labels.shape}')


def _check_ranges(
    length: tuple[float, float], thickness: int, **shares: float
) -> None:
    least, greatest = length
    if not 0 <= least <= greatest <= 1:
        raise ValueError(
            'length must be two shares, 0 <= least <= greatest <= 1, got '
            f'{length}'
        )
    if thickness < 1:
        raise ValueError(f'thickness must be at least 1, got {thickness}')
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise ValueError(f'{name} must lie in [0, 1], got {share}')
