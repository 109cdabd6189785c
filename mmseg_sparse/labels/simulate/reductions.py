"""Fewer and shorter strokes from given ones."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import dijkstra

from .paths import longest_paths, pixel_graph
from .regions import (
    Labels,
    Regions,
    check_shares,
    find_regions,
    image_rng,
    inner_depth,
)


def drop_scribbles(
    labels: Labels,
    *,
    ratio: float,
    seed: int,
    image_id: str = '',
    ignore_index: int = 255,
) -> Labels:
    """Drop strokes.

    A stroke is an 8-connected set of pixels of one class. Each is dropped
    with the same probability, alone; what a ratio keeps, a smaller one keeps
    too.

    Args:
        labels: Sparse label map, ``(H, W)`` of ``uint8``.
        ratio: Share of the strokes to drop, in the mean over the images.
        seed: Seed of the data set, at least 0.
        image_id: Name of the image, so that each draws for itself.
        ignore_index: "No label" in ``labels`` and in the result.

    Returns:
        A label map like ``labels``, in which the dropped strokes are
        ``ignore_index``.

    Raises:
        TypeError: If ``labels`` is not ``uint8``.
        ValueError: If an argument is out of range.
    """
    check_shares(ratio=ratio)
    strokes = find_regions(labels, ignore_index)
    dropped = image_rng(seed, image_id, 'drop').random(len(strokes)) < ratio
    result = labels.copy()
    # Index -1, no stroke, finds the entry appended.
    result[np.append(dropped, False)[strokes.index]] = ignore_index
    return result


def shrink_scribbles(
    labels: Labels,
    *,
    ratio: float,
    seed: int,
    image_id: str = '',
    ignore_index: int = 255,
) -> Labels:
    r"""Shorten strokes, as in DFR's figure 3 (mIoU over scribble length).

    A stroke is an 8-connected set of pixels of one class. With :math:`t`
    the position along the longest path of its skeleton, from 0 to 1, and
    :math:`c` a random position, the pixels nearest (within the stroke) to

    .. math:: c\,(1 - r) \le t \le c\,(1 - r) + r

    are kept for the ratio :math:`r`: a contiguous part, which contains what
    a smaller ratio keeps. Always kept is a spot at :math:`c` as wide as the
    stroke is there; it is all that is left at :math:`r = 0`, where a scribble
    degenerates to a spot (Lin et al., "ScribbleSup", CVPR 2016). At
    :math:`r = 1` nothing changes. Rings count as strokes along half of them.

    Args:
        labels: Sparse label map, ``(H, W)`` of ``uint8``.
        ratio: Share :math:`r` of its length that each stroke keeps.
        seed: Seed of the data set, at least 0.
        image_id: Name of the image, so that each draws for itself.
        ignore_index: "No label" in ``labels`` and in the result.

    Returns:
        A label map like ``labels``, in which what was cut off is
        ``ignore_index``.

    Raises:
        TypeError: If ``labels`` is not ``uint8``.
        ValueError: If an argument is out of range.
    """
    check_shares(ratio=ratio)
    strokes = find_regions(labels, ignore_index)
    middle = image_rng(seed, image_id, 'shrink').random(len(strokes))
    if ratio == 1 or len(strokes) == 0:
        return labels.copy()
    pixels, kept = _kept(strokes, middle, ratio)
    result = np.full_like(labels, ignore_index)
    y, x = pixels[kept].T
    result[y, x] = labels[y, x]
    return result


def _kept(
    strokes: Regions, middle: NDArray[np.float64], ratio: float
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the pixels of all strokes and whether each stays."""
    depth = inner_depth(strokes)
    every = np.arange(len(strokes))
    # At full resolution: neighbours on the path are neighbours in the image.
    paths = longest_paths(strokes, every, depth, thinning_depth=np.inf)
    counts = np.diff(paths.offsets)
    owner = np.repeat(every, counts)
    step = np.hypot(*np.diff(paths.points, axis=0, prepend=0).T)
    along = np.cumsum(step)
    along -= along[paths.offsets[:-1]][owner]
    # Pixels are as long as the steps between them: a half more at the ends.
    along = (along + 0.5) / (along[paths.offsets[1:] - 1] + 1)[owner]

    pixels = np.argwhere(strokes.index >= 0)
    stroke = strokes.index[tuple(pixels.T)]
    number = np.full(strokes.index.shape, -1)
    number[tuple(pixels.T)] = np.arange(len(pixels))
    y, x = np.rint(paths.points).astype(np.int64).T
    nodes = number[y, x]
    place = np.zeros(len(pixels), np.int64)
    place[nodes] = np.arange(len(nodes))
    graph = pixel_graph(pixels, stroke)
    nearest = dijkstra(
        graph, indices=nodes, min_only=True, return_predecessors=True
    )[2]
    at = along[place[nearest]]

    first = middle * (1 - ratio)
    part = (at >= first[stroke]) & (at <= (first + ratio)[stroke])

    spots = _nearest_on_path(along, paths.offsets, middle)
    distance = dijkstra(graph, indices=nodes[spots], min_only=True)
    # Pixels at just this distance are out, whatever its last bit says.
    radius = depth[y[spots], x[spots]] - 1e-4
    return pixels, part | (distance < radius[stroke])


def _nearest_on_path(
    along: NDArray[np.float64],
    offsets: NDArray[np.int64],
    middle: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Return the path point nearest to the chosen position of each path."""
    parts = np.split(along, offsets[1:-1])
    return np.array(
        [
            start + int(np.abs(part - at).argmin())
            for part, start, at in zip(
                parts, offsets[:-1].tolist(), middle.tolist(), strict=True
            )
        ]
    )
