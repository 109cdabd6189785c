"""Which pixels shapes cover, one pixel at a time, in exact fractions."""

from fractions import Fraction
from itertools import pairwise


def exact(points):
    return [tuple(Fraction(float(v)) for v in point) for point in points]


def square_distance(place, start, end):
    """From a place to a segment."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    square = dx * dx + dy * dy
    share = Fraction(0)
    if square:
        along = (place[0] - start[0]) * dx + (place[1] - start[1]) * dy
        share = min(max(along / square, Fraction(0)), Fraction(1))
    foot = (start[0] + share * dx, start[1] + share * dy)
    return (place[0] - foot[0]) ** 2 + (place[1] - foot[1]) ** 2


def passes(column, row, start, end):
    """Whether a segment has a point in [c, c+1) x [r, r+1).

    Shares of the segment with ``c <= x < c + 1`` and ``r <= y < r + 1`` are
    intervals, each end open or closed.
    """
    low, low_open, high, high_open = Fraction(0), False, Fraction(1), False
    for axis, cell in ((0, column), (1, row)):
        a, step = start[axis], end[axis] - start[axis]
        if not step:
            if not cell <= a < cell + 1:
                return False
            continue
        enter, leave = (cell - a) / step, (cell + 1 - a) / step
        ends = [(enter, False), (leave, True)]
        if step < 0:
            ends.reverse()
        if ends[0][0] > low or (ends[0][0] == low and ends[0][1]):
            low, low_open = ends[0]
        if ends[1][0] < high or (ends[1][0] == high and ends[1][1]):
            high, high_open = ends[1]
    return low < high or (low == high and not (low_open or high_open))


def line(points, width, size):
    """Rows of bool: middle within width / 2, or passed through."""
    points = exact(points)
    pairs = list(pairwise(points))
    pairs = pairs or [(points[0], points[0])]
    reach = (Fraction(float(width)) / 2) ** 2
    half = Fraction(1, 2)
    return [
        [
            any(
                square_distance((c + half, r + half), a, b) <= reach
                or passes(c, r, a, b)
                for a, b in pairs
            )
            for c in range(size[0])
        ]
        for r in range(size[1])
    ]


def area(rings, size):
    """Rows of bool: edges to the left of the middle are odd in number."""
    half = Fraction(1, 2)
    edges = []
    for ring in rings:
        ring = exact(ring)
        edges += zip(ring, ring[1:] + ring[:1], strict=True)
    rows = []
    for r in range(size[1]):
        y = r + half
        crossings = [
            a[0] + (y - a[1]) * (b[0] - a[0]) / (b[1] - a[1])
            for a, b in edges
            if (a[1] <= y) != (b[1] <= y)
        ]
        rows.append(
            [
                sum(x <= c + half for x in crossings) % 2 == 1
                for c in range(size[0])
            ]
        )
    return rows
