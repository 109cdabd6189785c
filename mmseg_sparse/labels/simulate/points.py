"""Clicks on the regions of a dense mask."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .regions import Labels, check_shares, find_regions, image_rng, inner_depth
from .scribbles import noisy_values

Placement = Literal['central', 'uniform']


def simulate_points(
    labels: Labels,
    *,
    seed: int,
    image_id: str = '',
    per_region: int = 1,
    placement: Placement = 'central',
    spread: float = 0.2,
    drop: float = 0.0,
    min_area: int = 20,
    noise: float = 0.0,
    ignore_index: int = 255,
) -> Labels:
    """Label single pixels of the regions of a dense mask.

    A region is an 8-connected set of pixels of one class. Central points lie
    where the distance to the region's border is greatest; each further one
    keeps away from those before it as from the border. Uniform points lie
    anywhere in the region, each pixel as likely as the other.

    Args:
        labels: Dense mask, ``(H, W)`` of ``uint8``, ``ignore_index`` = void.
        seed: Seed of the data set, at least 0.
        image_id: Name of the image, so that each has points of its own.
        per_region: Points in a region; fewer where it has fewer pixels.
        placement: ``'central'`` or ``'uniform'``.
        spread: A central point is drawn from the pixels whose distance, as
            above, is at least ``1 - spread`` of the greatest one.
        drop: Probability that a region has no point.
        min_area: Regions of fewer pixels have no point.
        noise: Probability that a region's points get another class.
        ignore_index: Id of void in ``labels`` and of "no label" in the result.

    Returns:
        A label map like ``labels``: the class at points, else
        ``ignore_index``.

    Raises:
        TypeError: If ``labels`` is not ``uint8``.
        ValueError: If an argument is out of range.
    """
    _check(placement, per_region)
    check_shares(spread=spread, drop=drop, noise=noise)
    regions = find_regions(labels, ignore_index)
    values = noisy_values(regions, noise, seed, image_id)
    rng = image_rng(seed, image_id)
    clicked = rng.random(len(regions)) >= drop
    draws = rng.random((len(regions), per_region))
    depth = inner_depth(regions) if placement == 'central' else None
    points = np.full_like(labels, ignore_index)
    chosen = np.flatnonzero(clicked & (regions.areas >= min_area))
    for number in chosen.tolist():
        window = regions.window(number)
        inside = regions.index[window] == number
        if depth is None:
            at = _uniform(inside, draws[number])
        else:
            at = _central(inside, depth[window], draws[number], spread)
        points[window][at] = values[number]
    return points


def _check(placement: str, per_region: int) -> None:
    if placement not in ('central', 'uniform'):
        raise ValueError(
            f"placement must be 'central' or 'uniform', got {placement!r}"
        )
    if per_region < 1:
        raise ValueError(f'per_region must be at least 1, got {per_region}')


def _uniform(
    inside: NDArray[np.bool_], draws: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows and columns of different pixels."""
    free = np.flatnonzero(inside)
    taken: list[int] = []
    for draw in draws[: len(free)].tolist():
        # The draw counts the pixels that are not taken yet.
        place = int(draw * (len(free) - len(taken)))
        for other in sorted(taken):
            place += other <= place
        taken.append(place)
    rows, columns = np.divmod(free[taken], inside.shape[1])
    return rows, columns


def _central(
    inside: NDArray[np.bool_],
    depth: NDArray[np.float32],
    draws: NDArray[np.float64],
    spread: float,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows and columns of pixels far from border and each other."""
    room = np.where(inside, depth, 0)
    rows, columns = [], []
    for draw in draws.tolist():
        greatest = float(room.max())
        if greatest <= 0:  # every pixel is taken
            break
        free = np.flatnonzero(room >= (1 - spread) * greatest)
        free = free[room.flat[free] > 0]
        row, column = divmod(int(free[int(draw * len(free))]), room.shape[1])
        rows.append(row)
        columns.append(column)
        if len(rows) < len(draws):
            y, x = np.ogrid[: room.shape[0], : room.shape[1]]
            room = np.minimum(room, np.hypot(y - row, x - column))
    return np.array(rows), np.array(columns)
