"""Which pixels shapes cover, one pixel at a time, in exact fractions."""

from fractions import Fraction
from itertools import pairwise


def exact(points):
    return [tuple(Fraction(float(v)) for v in point) for point in points]


def offset(place, start, end):
    """From the nearest point of a segment to a place."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    square = dx * dx + dy * dy
    share = Fraction(0)
    if square:
        along = (place[0] - start[0]) * dx + (place[1] - start[1]) * dy
        share = min(max(along / square, Fraction(0)), Fraction(1))
    foot = (start[0] + share * dx, start[1] + share * dy)
    return place[0] - foot[0], place[1] - foot[1]


def within(place, start, end, reach):
    """Whether a place is nearer than ``reach``, or as far on the right side.

    That is to the right of the segment, or straight below: of two middles at
    opposite sides of a line, each just half the width away, one is in it.
    """
    x, y = offset(place, start, end)
    square = x * x + y * y
    return square < reach**2 or (square == reach**2 and (x, y) > (0, 0))


def passes(column, row, start, end):
    """Whether a part of a segment lies in [c, c+1) x [r, r+1).

    A single point is no part, unless the segment is one: a line that meets
    the corner of a pixel does not run through it.
    """
    low, high = Fraction(0), Fraction(1)
    for axis, cell in ((0, column), (1, row)):
        a, step = start[axis], end[axis] - start[axis]
        if not step:
            if not cell <= a < cell + 1:
                return False
            continue
        enter, leave = sorted([(cell - a) / step, (cell + 1 - a) / step])
        low, high = max(low, enter), min(high, leave)
    return low < high


def line(points, width, size):
    """Rows of bool: middle within width / 2, or passed through."""
    points = exact(points)
    pairs = [(a, b) for a, b in pairwise(points) if a != b]
    pairs = pairs or [(points[0], points[0])]
    reach = Fraction(float(width)) / 2
    half = Fraction(1, 2)
    return [
        [
            any(
                within((c + half, r + half), a, b, reach) or passes(c, r, a, b)
                for a, b in pairs
            )
            for c in range(size[0])
        ]
        for r in range(size[1])
    ]


def disc(centre, radius, size):
    """Rows of bool: middle at most the radius away, or centre in the pixel."""
    ((x, y),) = exact([centre])
    reach = Fraction(float(radius)) ** 2
    half = Fraction(1, 2)
    return [
        [
            (c + half - x) ** 2 + (r + half - y) ** 2 <= reach
            or (c <= x < c + 1 and r <= y < r + 1)
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
