"""CVAT's interpolation between two lines, literally, a vertex at a time."""

import math
from itertools import pairwise


def shares(points):
    """How far along the line each vertex is."""
    far = [0.0]
    for (x, y), (u, v) in pairwise(points):
        far.append(far[-1] + math.sqrt((u - x) ** 2 + (v - y) ** 2))
    return [f / far[-1] if far[-1] else f for f in far]


def nearest(value, others):
    """The first of the places that are nearest to a value."""
    best = 0
    for index, other in enumerate(others):
        if abs(value - other) < abs(value - others[best]):
            best = index
    return best


def between(one, other, share, closed):
    """Vertices at a share of the way from one line to the other."""
    if closed:
        one, other = [*one, one[0]], [*other, other[0]]
    left, right = shares(one), shares(other)
    matched = {i: [nearest(value, right)] for i, value in enumerate(left)}
    taken = [j for found in matched.values() for j in found]
    for j, value in enumerate(right):
        if j not in taken:
            matched[nearest(value, left)].append(j)
    found = []
    for i, (x, y) in enumerate(one):
        for j in sorted(matched[i]):
            u, v = other[j]
            found.append([x + (u - x) * share, y + (v - y) * share])
    return found[:-1] if closed else found
