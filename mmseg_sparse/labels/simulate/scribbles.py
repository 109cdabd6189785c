"""Strokes on the regions of a dense mask, the way a person would draw."""

import cv2
import numpy as np
from numpy.typing import NDArray

from .paths import Paths, longest_paths
from .regions import (
    Labels,
    Regions,
    check_shares,
    find_regions,
    image_rng,
    inner_depth,
)

#: Points that make a stroke, and how the hand smooths and strays: standard
#: deviations of the Gaussians over these points.
_POINTS = 64
_SMOOTHING = _POINTS / 25
_STRAYING = _POINTS / 6


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
    noise: float = 0.0,
    ignore_index: int = 255,
) -> Labels:
    """Draw human-like strokes on the regions of a dense mask.

    A region is an 8-connected set of pixels of one class. Its stroke follows
    the longest path of its skeleton, smoothed and shaken, and covers a random
    part of it. A stroke is 8-connected and stays inside its region.

    Args:
        labels: Dense mask, ``(H, W)`` of ``uint8``, ``ignore_index`` = void.
        seed: Seed of the data set, at least 0.
        image_id: Name of the image, so that each has strokes of its own.
        thickness: Width of the strokes in pixels.
        length: Least and greatest share of the path that a stroke covers.
        jitter: How far the hand strays, as a share in ``[0, 1]`` of the
            distance between path and border of the region.
        drop: Probability that a region has no stroke.
        min_area: Regions of fewer pixels never have a stroke.
        small_area: Regions of fewer pixels are small; see ``small_drop``.
        small_drop: Probability that a small region has no stroke.
        noise: Probability that a stroke gets another class of ``labels``.
        ignore_index: Id of void in ``labels`` and of "no label" in the result.

    Returns:
        A label map like ``labels``: the class on strokes, else
        ``ignore_index``.

    Raises:
        TypeError: If ``labels`` is not ``uint8``.
        ValueError: If an argument is out of range.
    """
    check_shares(jitter=jitter, drop=drop, small_drop=small_drop, noise=noise)
    _check_pen(length, thickness)
    regions = find_regions(labels, ignore_index)
    values = noisy_values(regions, noise, seed, image_id)
    rng = image_rng(seed, image_id)
    chance = drop + (1 - drop) * small_drop * (regions.areas < small_area)
    drawn = (regions.areas >= min_area) & (rng.random(len(regions)) >= chance)
    chosen = np.flatnonzero(drawn)
    hands = _Hands.draw(rng, len(regions), length)
    depth = inner_depth(regions)
    lines = hands.lines(regions, chosen, depth, jitter)
    strokes, brush = np.full_like(labels, ignore_index), _brush(thickness)
    for number, line in zip(chosen.tolist(), lines, strict=True):
        window, stroke = _draw(line, number, regions, depth, brush)
        strokes[window][stroke] = values[number]
    return strokes


def noisy_values(
    regions: Regions, noise: float, seed: int, image_id: str
) -> Labels:
    """Return the class of each region, wrong with probability ``noise``."""
    present = np.unique(regions.values)
    if len(present) < 2:
        return regions.values
    rng = image_rng(seed, image_id, 'noise')
    wrong = rng.random(len(regions)) < noise
    step = rng.integers(1, len(present), len(regions))
    place = np.searchsorted(present, regions.values) + wrong * step
    return present[place % len(present)]


class _Hands:
    """What is random about each region's stroke, drawn or not."""

    def __init__(
        self,
        start: NDArray[np.float64],
        share: NDArray[np.float64],
        straying: NDArray[np.float64],
    ) -> None:
        self.start = start
        self.share = share
        self.straying = straying

    @classmethod
    def draw(
        cls,
        rng: np.random.Generator,
        count: int,
        length: tuple[float, float],
    ) -> '_Hands':
        share = rng.uniform(*length, count)
        start = rng.uniform(0, 1, count) * (1 - share)
        noise = _gaussian(_STRAYING, 'wrap') @ rng.standard_normal(
            (count, _POINTS, 2)
        )
        # The farthest that a stroke strays is its whole room.
        noise /= np.abs(noise).max((1, 2), keepdims=True).clip(1e-6)
        return cls(start, share, noise)

    def lines(
        self,
        regions: Regions,
        chosen: NDArray[np.int64],
        depth: NDArray[np.float32],
        jitter: float,
    ) -> NDArray[np.int32]:
        """Return the points ``(x, y)`` of each stroke, ``(P, K, 2)``."""
        if len(chosen) == 0:
            return np.zeros((0, _POINTS, 2), np.int32)
        paths = longest_paths(regions, chosen, depth)
        line, length = _parts(paths, self.start[chosen], self.share[chosen])
        y, x = np.rint(line).astype(np.int64).transpose(2, 0, 1)
        room = np.minimum(depth[y, x], length[:, None] / 4)[..., None]
        line = _gaussian(_SMOOTHING, 'nearest') @ line
        line = line + jitter * room * self.straying[chosen]
        # Rounded twice: halves, as on even widths, stay halves whatever
        # order a matrix product is summed in.
        return np.rint(line[..., ::-1].round(6)).astype(np.int32)


def _parts(
    paths: Paths, start: NDArray[np.float64], share: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cut a part out of each path.

    Returns:
        Points spaced evenly along the parts, ``(P, K, 2)``, and the lengths
        of the parts, ``(P,)``.
    """
    points = _smooth_steps(paths)
    number = np.repeat(np.arange(len(start)), np.diff(paths.offsets))
    step = np.hypot(*np.diff(points, axis=0, prepend=points[:1]).T)
    along = np.cumsum(step)
    along -= along[paths.offsets[:-1]][number]
    whole = along[paths.offsets[1:] - 1]
    # One axis for all paths: path p lies at [2p, 2p + 1] and rests at its
    # end until 2p + 1, however short it is.
    axis = 2 * number + along / np.maximum(whole, 1e-6)[number]
    ends = paths.offsets[1:]
    axis = np.insert(axis, ends, 2 * np.arange(len(start)) + 1)
    points = np.insert(points, ends, points[ends - 1], axis=0)
    at = np.linspace(start, start + share, _POINTS, axis=1)
    at += 2 * np.arange(len(start))[:, None]
    part = [np.interp(at, axis, points[:, i]) for i in range(2)]
    return np.stack(part, -1), whole * share


def _smooth_steps(paths: Paths) -> NDArray[np.float64]:
    """Smooth the steps of pixels away; the ends of paths stay."""
    points = paths.points
    fixed = np.zeros(len(points), bool)
    fixed[paths.offsets[:-1]] = fixed[paths.offsets[1:] - 1] = True
    moving = np.flatnonzero(~fixed)
    for _ in range(3):
        old, points = points, points.copy()
        points[moving] = (
            old[moving - 1] + 2 * old[moving] + old[moving + 1]
        ) / 4
    return points


def _gaussian(deviation: float, border: str) -> NDArray[np.float64]:
    """Return the matrix that smooths ``_POINTS`` values."""
    reach = round(4 * deviation)
    offset = np.arange(-reach, reach + 1)
    weight = np.exp(-0.5 * (offset / deviation) ** 2)
    matrix = np.zeros((_POINTS, _POINTS))
    rows = np.arange(_POINTS)[:, None]
    columns = rows + offset
    if border == 'wrap':
        columns %= _POINTS
    else:
        columns = columns.clip(0, _POINTS - 1)
    np.add.at(matrix, (rows, columns), weight / weight.sum())
    return matrix


def _draw(
    line: NDArray[np.int32],
    number: int,
    regions: Regions,
    depth: NDArray[np.float32],
    brush: NDArray[np.uint8],
) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
    """Draw a line inside its region; return the window and its pixels.

    Where the line misses a thin region, that is the region's deepest pixel.
    """
    margin = len(brush)
    left, top = (line.min(0) - margin).clip(0).tolist()
    right, bottom = (line.max(0) + margin + 1).tolist()
    window = np.s_[top : max(bottom, top), left : max(right, left)]
    inside = regions.index[window] == number
    if not inside.any():
        return _dot(number, regions, depth)
    canvas = np.zeros(inside.shape, np.uint8)
    cv2.polylines(canvas, [line - (left, top)], False, 1)
    if margin > 1:
        # Not OpenCV's thickness: some versions draw 5 pixels asked for 3.
        canvas = cv2.dilate(canvas, brush)
    canvas &= inside.view(np.uint8)
    count, pieces = cv2.connectedComponents(canvas, connectivity=8)
    if count == 1:
        return _dot(number, regions, depth)
    if count == 2:
        return window, canvas.view(bool)
    largest = 1 + int(np.bincount(pieces.ravel())[1:].argmax())
    return window, pieces == largest


def _dot(
    number: int, regions: Regions, depth: NDArray[np.float32]
) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
    """Return the deepest pixel of a region."""
    window = regions.window(number)
    inside = regions.index[window] == number
    dot = np.zeros_like(inside)
    dot.flat[np.where(inside, depth[window], 0).argmax()] = True
    return window, dot


def _brush(thickness: int) -> NDArray[np.uint8]:
    """Return a disc of this diameter."""
    offset = np.abs(np.arange(thickness) - (thickness - 1) / 2)
    inside = np.hypot(offset[:, None], offset) < thickness / 2
    return inside.astype(np.uint8)


def _check_pen(length: tuple[float, float], thickness: int) -> None:
    least, greatest = length
    if not 0 <= least <= greatest <= 1:
        raise ValueError(
            'length must be two shares, 0 <= least <= greatest <= 1, got '
            f'{length}'
        )
    if thickness < 1:
        raise ValueError(f'thickness must be at least 1, got {thickness}')
