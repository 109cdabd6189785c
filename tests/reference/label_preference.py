"""BLPSeg, eq. 9, 11, 13 and figure 7b, pixel by pixel."""

import math


def distance_to_boundary(dense):
    """Relative distances by search, 0 on void; plain Python lists."""
    pixels = [
        (y, x, value)
        for y, row in enumerate(dense.tolist())
        for x, value in enumerate(row)
    ]
    far = {}
    for y, x, value in pixels:
        others = [math.hypot(y - v, x - u) for v, u, w in pixels if w != value]
        if value != 255 and others:
            far[y, x] = min(others)
    largest = {}
    for y, x, value in pixels:
        largest[value] = max(largest.get(value, 0), far.get((y, x), 0))
    return {
        (y, x): far[y, x] / largest[value]
        for y, x, value in pixels
        if (y, x) in far
    }


def bin_of(distance, bins=20):
    """The bin (k / bins, (k + 1) / bins] that holds a distance."""
    return next(k for k in range(bins) if distance <= (k + 1) / bins + 1e-6)


def distribution(images, bins=20):
    """Eq. 13: ``images`` are pairs of mask and weights."""
    sums, total, moment = [0.0] * bins, 0.0, 0.0
    for dense, weight in images:
        for (y, x), distance in distance_to_boundary(dense).items():
            sums[bin_of(distance)] += float(weight[y, x])
            total += float(weight[y, x])
            moment += float(weight[y, x]) * distance
    return [s / total for s in sums], moment / total


def precision(images, bins=20):
    """Figure 7b: ``images`` are pairs of mask and predicted classes."""
    right, pixels = [0] * bins, [0] * bins
    for dense, predicted in images:
        for (y, x), distance in distance_to_boundary(dense).items():
            pixels[bin_of(distance)] += 1
            right[bin_of(distance)] += bool(predicted[y, x] == dense[y, x])
    return right, pixels


def blp(annotation, segmentation, target, gamma):
    """Eq. 11 and the terms of eq. 9."""
    height, width = target.shape
    delta = [[0.0] * width for _ in range(height)]
    loss = [[0.0] * width for _ in range(height)]
    for y in range(height):
        for x in range(width):
            c = target[y, x]
            scrib = float(annotation[c, y, x])
            seg = float(segmentation[c, y, x])
            delta[y][x] = (1 - scrib * seg) ** gamma
            loss[y][x] = -delta[y][x] * math.log(seg)
    return delta, loss
