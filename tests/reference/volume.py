"""Dice and HD95 of volumes, one voxel and one pair of voxels at a time."""

import math
from itertools import product


def voxels(volume, index, known):
    """Return the places of a class, as triples."""
    depth, height, width = volume.shape
    return [
        (z, y, x)
        for z, y, x in product(range(depth), range(height), range(width))
        if known[z, y, x] and volume[z, y, x] == index
    ]


def surface(places):
    """Return those of which one of the six neighbours is not in the set."""
    inside = set(places)
    steps = [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1),
             (0, 0, -1)]  # fmt: skip
    return [
        place
        for place in places
        if any(
            tuple(a + b for a, b in zip(place, step, strict=True))
            not in inside
            for step in steps
        )
    ]


def distance(a, b, spacing):
    return math.sqrt(
        sum(
            ((i - j) * step) ** 2
            for i, j, step in zip(a, b, spacing, strict=True)
        )
    )


def percentile95(values):
    """Linear between the two values whose ranks are next to 0.95 (n - 1)."""
    values = sorted(values)
    rank = 0.95 * (len(values) - 1)
    low = math.floor(rank)
    high = min(low + 1, len(values) - 1)
    return values[low] + (rank - low) * (values[high] - values[low])


def scores(prediction, mask, index, spacing, ignore_index=255):
    """Return Dice in percent and HD95 of a class, or None for both."""
    known = mask != ignore_index
    one = voxels(prediction, index, known)
    other = voxels(mask, index, known)
    if not one and not other:
        return None, None
    if not one or not other:
        last = tuple(size - 1 for size in mask.shape)
        return 0.0, distance((0, 0, 0), last, spacing)
    dice = 200 * len(set(one) & set(other)) / (len(one) + len(other))
    a, b = surface(one), surface(other)
    distances = [min(distance(p, q, spacing) for q in b) for p in a]
    distances += [min(distance(p, q, spacing) for q in a) for p in b]
    return dice, percentile95(distances)
