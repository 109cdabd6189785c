"""Nearest-neighbour resizing that keeps labels, one pixel at a time."""

import math

import cv2
import numpy as np
from PIL import Image

NO_LABEL = 255


def sampled(length, target, backend):
    """The pixel that each of the result copies: the backend's rule."""
    ramp = np.arange(length, dtype=np.float32)[None]
    if backend == 'cv2':
        ramp = cv2.resize(ramp, (target, 1), interpolation=cv2.INTER_NEAREST)
    else:
        picture = Image.fromarray(ramp)
        ramp = np.asarray(picture.resize((target, 1), Image.NEAREST))
    return ramp[0].astype(int).tolist()


def places(pixel, samples, length):
    """(before, after, target, place) of a pixel along a shortened axis."""
    before = max((s for s in samples if s <= pixel), default=samples[0])
    after = min((s for s in samples if s >= pixel), default=samples[-1])
    middle = (pixel + 0.5) * len(samples) / length
    if pixel in samples:
        target = samples.index(pixel)
    else:
        target = math.floor(middle)
        assert samples.index(before) <= target <= samples.index(after)
    return before, after, target, middle


def straight(labels, start, end):
    """Whether the line from one pixel to another has one class."""
    (y, x), (v, u) = start, end
    steps = max(abs(v - y), abs(u - x))
    line = [start, end] + [
        (y + round(n / steps * (v - y)), x + round(n / steps * (u - x)))
        for n in range(1, steps)
    ]
    return len({int(labels[pixel]) for pixel in line}) == 1


def resize(labels, width, height, backend):
    """Resize a sparse map; enlarges by nearest neighbours alone."""
    rows = sampled(labels.shape[0], height, backend)
    cols = sampled(labels.shape[1], width, backend)
    # An axis that does not shrink is only repeated, in the end.
    shrunk_rows = rows
    shrunk_cols = cols
    if height >= labels.shape[0]:
        shrunk_rows = list(range(labels.shape[0]))
    if width >= labels.shape[1]:
        shrunk_cols = list(range(labels.shape[1]))
    result = [[labels[y, x] for x in shrunk_cols] for y in shrunk_rows]

    asking = {}
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            if labels[y, x] == NO_LABEL:
                continue
            y0, y1, ty, my = places(y, shrunk_rows, labels.shape[0])
            x0, x1, tx, mx = places(x, shrunk_cols, labels.shape[1])
            if result[ty][tx] != NO_LABEL:
                continue
            if any(
                straight(labels, (y, x), (v, u))
                for v in (y0, y1)
                for u in (x0, x1)
            ):
                continue
            distance = (my - ty - 0.5) ** 2 + (mx - tx - 0.5) ** 2
            asking.setdefault((ty, tx), []).append((distance, y, x))
    for (ty, tx), pixels in asking.items():
        _, y, x = min(pixels)
        result[ty][tx] = labels[y, x]

    shrunk = np.array(result, labels.dtype)
    if height > labels.shape[0]:
        shrunk = shrunk[rows]
    if width > labels.shape[1]:
        shrunk = shrunk[:, cols]
    return shrunk
