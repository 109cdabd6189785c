"""The longest paths along the skeletons of many regions at once."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from .regions import Regions, find_regions, inner_depth

#: Regions deeper than this (in pixels) are thinned at a lower resolution:
#: each pixel of depth is a pass over the image.
_THINNING_DEPTH = 12.0


@dataclass(frozen=True, eq=False)
class Paths:
    """One path for each of P regions, one after the other.

    Attributes:
        points: ``(T, 2)``, ``(y, x)`` along the paths, in pixels.
        offsets: ``(P + 1,)``, where each path begins and the last one ends.
    """

    points: NDArray[np.float64]
    offsets: NDArray[np.int64]

    def __getitem__(self, number: int) -> NDArray[np.float64]:
        return self.points[self.offsets[number] : self.offsets[number + 1]]


def longest_paths(
    regions: Regions,
    chosen: NDArray[np.int64],
    depth: NDArray[np.float32],
    *,
    thinning_depth: float = _THINNING_DEPTH,
) -> Paths:
    """Return the longest path of the skeleton of each chosen region.

    A path joins the two ends of the skeleton that are at the greatest
    distance along it (found by two sweeps: exact on trees, a long path where
    holes make loops). Deep regions are thinned at a lower resolution; there,
    parts that are joined by a thin line may be separated, and the path is
    then that of the deepest part.

    Args:
        regions: The regions of a label map.
        chosen: Numbers of the regions to find a path for, ``(P,)``.
        depth: Depth of each pixel, see ``inner_depth``.
        thinning_depth: The depth to which regions are reduced.
    """
    if len(chosen) == 0:
        return Paths(np.zeros((0, 2)), np.zeros(1, np.int64))
    mosaic = _Mosaic.of(regions, chosen, depth, thinning_depth)
    pixels = np.argwhere(thin(mosaic.canvas))
    owner = mosaic.owner[pixels[:, 0], pixels[:, 1]]
    pixels = pixels[np.argsort(owner, kind='stable')]
    owner = mosaic.owner[pixels[:, 0], pixels[:, 1]]
    points = mosaic.to_image(pixels, owner)
    y, x = np.rint(points).astype(np.int64).T
    nodes = _longest(pixels, owner, depth[y, x])
    offsets = np.cumsum([0, *map(len, nodes)])
    return Paths(points[np.concatenate(nodes)], offsets)


def longest_path(region: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the longest path of a connected region's skeleton.

    Args:
        region: One 8-connected region, ``(H, W)``.

    Returns:
        Pixel coordinates ``(y, x)`` along the path, ``(L, 2)``, L >= 1.

    Raises:
        ValueError: If ``region`` is empty.
    """
    regions = find_regions(np.where(region, np.uint8(1), np.uint8(255)))
    if len(regions) == 0:
        raise ValueError('region has no pixel')
    return longest_paths(regions, np.array([0]), inner_depth(regions))[0]


@dataclass(frozen=True, eq=False)
class _Mosaic:
    """Reduced regions side by side, so that all are thinned in one go."""

    canvas: NDArray[np.uint8]
    owner: NDArray[np.int32]  # place of a region in ``chosen``
    corners: NDArray[np.int64]  # of each tile on the canvas
    origins: NDArray[np.int64]  # of each region in the image
    scales: NDArray[np.float64]  # image pixels a canvas pixel
    sizes: NDArray[np.int64]  # of each region in the image

    @classmethod
    def of(
        cls,
        regions: Regions,
        chosen: NDArray[np.int64],
        depth: NDArray[np.float32],
        thinning_depth: float,
    ) -> '_Mosaic':
        tiles = []
        for number in chosen.tolist():
            window = regions.window(number)
            inside = regions.index[window] == number
            deepest = float(depth[window].max(where=inside, initial=1))
            tiles.append(_reduced(inside, max(1, deepest / thinning_depth)))
        small = np.array([tile.shape for tile in tiles])
        corners, shape = _shelves(small)
        canvas = np.zeros(shape, np.uint8)
        owner = np.full(shape, -1, np.int32)
        for place, (tile, corner) in enumerate(
            zip(tiles, corners.tolist(), strict=True)
        ):
            window = np.s_[
                corner[0] : corner[0] + tile.shape[0],
                corner[1] : corner[1] + tile.shape[1],
            ]
            canvas[window] = tile
            owner[window] = place
        origins = regions.boxes[chosen, :2]
        sizes = regions.boxes[chosen, 2:] - origins
        return cls(canvas, owner, corners, origins, sizes / small, sizes)

    def to_image(
        self, pixels: NDArray[np.int64], owner: NDArray[np.int32]
    ) -> NDArray[np.float64]:
        """Return where middles of canvas pixels lie in the image."""
        inside = pixels - self.corners[owner] + 0.5
        points = inside * self.scales[owner] - 0.5
        return np.clip(points, 0, self.sizes[owner] - 1) + self.origins[owner]


def _reduced(region: NDArray[np.bool_], factor: float) -> NDArray[np.uint8]:
    """Return a region at a lower resolution."""
    image = region.view(np.uint8)
    if factor == 1:
        return image
    height, width = image.shape
    size = (max(1, round(width / factor)), max(1, round(height / factor)))
    small = cv2.resize(image * 255, size, interpolation=cv2.INTER_AREA)
    # The deepest part of the region always fills some pixels.
    return (small >= min(128, int(small.max()))).astype(np.uint8)


def _shelves(
    sizes: NDArray[np.int64],
) -> tuple[NDArray[np.int64], tuple[int, int]]:
    """Place tiles on shelves, the tallest first, a pixel between them."""
    width = max(256, int(sizes[:, 1].max()))
    corners = np.zeros_like(sizes)
    top = left = shelf = 0
    for place in np.argsort(-sizes[:, 0], kind='stable').tolist():
        height, length = sizes[place].tolist()
        if left and left + length > width:
            top, left, shelf = top + shelf + 1, 0, 0
        corners[place] = top, left
        left += length + 1
        shelf = max(shelf, height)
    return corners, (top + shelf, width)


def _longest(
    pixels: NDArray[np.int64],
    owner: NDArray[np.int32],
    depth: NDArray[np.float32],
) -> list[list[int]]:
    """Return the nodes of each owner's longest path.

    Owners share no edge, so each sweep runs from one node of every owner at
    once.
    """
    graph = pixel_graph(pixels, owner)
    firsts = np.searchsorted(owner, np.arange(int(owner[-1]) + 1))
    parts = np.append(firsts, len(owner))
    sources = _greatest(depth, parts)
    for _ in range(2):
        targets = sources
        distance, previous, _ = dijkstra(
            graph, indices=sources, min_only=True, return_predecessors=True
        )
        distance[~np.isfinite(distance)] = -1
        sources = _greatest(distance, parts)
    before = previous.tolist()
    paths = []
    for step, end in zip(sources.tolist(), targets.tolist(), strict=True):
        path = [step]
        while step != end:
            step = before[step]
            path.append(step)
        paths.append(path)
    return paths


def _greatest(
    score: NDArray[np.floating], parts: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return where the greatest score of each part lies."""
    return np.array(
        [a + int(score[a:b].argmax()) for a, b in pairwise(parts.tolist())]
    )


def pixel_graph(
    pixels: NDArray[np.int64], owner: NDArray[np.int32]
) -> csr_matrix:
    """Return the graph of 8-connected neighbours, with their distances.

    Args:
        pixels: ``(P, 2)``, ``(y, x)``, no two alike.
        owner: ``(P,)``; pixels of different owners are not linked.

    Returns:
        ``(P, P)``, symmetric.
    """
    corner = pixels.min(0)
    y, x = (pixels - corner).T + 1
    height, width = int(y.max()) + 2, int(x.max()) + 2
    number = np.full((height, width), -1, np.int32)
    number[y, x] = np.arange(len(pixels))
    rows, columns, lengths = [], [], []
    for dy, dx in ((0, 1), (1, -1), (1, 0), (1, 1)):
        other = number[y + dy, x + dx]
        linked = np.flatnonzero((other >= 0) & (owner == owner[other]))
        rows += [linked, other[linked]]
        columns += [other[linked], linked]
        lengths.append(np.full(2 * len(linked), np.hypot(dy, dx)))
    return csr_matrix(
        (
            np.concatenate(lengths),
            (np.concatenate(rows), np.concatenate(columns)),
        ),
        shape=(len(pixels), len(pixels)),
    )


def thin(region: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Thin a binary image to its skeleton, one pixel wide.

    Guo and Hall, "Parallel thinning with two-subiteration algorithms", CACM
    1989 (their first algorithm), the 8 neighbours packed into one byte. A
    connected region stays connected and never vanishes.

    Args:
        region: ``(H, W)`` of 0 and 1.
    """
    image: NDArray[Any] = np.pad(region, 1)
    while True:
        removed = 0
        for table in _THINNING_TABLES:
            neighbours = cv2.filter2D(
                image,
                cv2.CV_8U,
                _NEIGHBOUR_BITS,
                borderType=cv2.BORDER_CONSTANT,
            )
            remove = cv2.bitwise_and(cv2.LUT(neighbours, table), image)
            removed += cv2.countNonZero(remove)
            image = cv2.bitwise_xor(image, remove)
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
