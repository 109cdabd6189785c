"""Outlines of the areas of a label map, as polygons with holes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..importers.annotation import ImageAnnotation, Region
from ..label_map import NO_LABEL, Labels

#: A closed line, ``(K, 2)`` of x and y in pixels.
Ring = NDArray[np.float64]
#: Steps to the right, down, left and up.
_STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))


def outline(
    labels: Labels,
    classes: Sequence[str],
    image: str,
    *,
    tolerance: float = 0.0,
) -> ImageAnnotation:
    """Return a label map as regions, one for each connected area.

    Pixels are connected by their sides. Outlines run between the pixels, so
    that importing them gives the same map. With a tolerance they have fewer
    points: every pixel whose label differs after importing lies within the
    tolerance of an outline of the map, or has no label in the result.

    Args:
        labels: ``(H, W)``, class indices and 255 = no label.
        classes: Class names.
        image: File name of the image.
        tolerance: Distance in pixels that an outline may move by.

    Raises:
        ValueError: If ``tolerance`` is negative, or a class has no name.
    """
    if tolerance < 0:
        raise ValueError(
            f'expected a tolerance of at least 0 pixels, got {tolerance}'
        )
    shapes = []
    for index in np.unique(labels[labels != NO_LABEL]).tolist():
        if index >= len(classes):
            raise ValueError(
                f'{image}: the label map holds class {index}, but there are '
                f'only {len(classes)} classes'
            )
        areas, _ = ndimage.label(labels == index)
        for number, box in enumerate(ndimage.find_objects(areas), 1):
            offset = (box[1].start, box[0].start)
            rings = tuple(
                simplify(ring, tolerance) + offset
                for ring in trace(areas[box] == number)
            )
            shapes.append(Region(classes[index], rings))
    size = (labels.shape[1], labels.shape[0])
    return ImageAnnotation(image, '', size, tuple(shapes))


def trace(region: NDArray[np.bool_]) -> list[Ring]:
    """Return the outlines of an area that is connected by its sides.

    They have the corners of pixels for points, a point at each turn. The
    outer one comes first and, seen with y down, runs clockwise; those of
    holes run the other way.

    Args:
        region: ``(H, W)``.
    """
    inside = np.pad(region, 1)
    height, width = region.shape
    # Sides of pixels at the border, by the corner that they begin at and
    # their direction; the region is on the right.
    sides = np.zeros((height + 1, width + 1, 4), bool)
    core = inside[1:-1, 1:-1]
    sides[:-1, :-1, 0] = core & ~inside[:-2, 1:-1]
    sides[:-1, 1:, 1] = core & ~inside[1:-1, 2:]
    sides[1:, 1:, 2] = core & ~inside[2:, 1:-1]
    sides[1:, :-1, 3] = core & ~inside[1:-1, :-2]
    rings = []
    for y, x in np.argwhere(sides[..., 0]).tolist():
        if sides[y, x, 0]:
            rings.append(_walk(sides, x, y))
    return rings


def _walk(sides: NDArray[np.bool_], x: int, y: int) -> Ring:
    """Follow a border from a corner to the right; take its sides away.

    Where two areas touch at a corner the way turns right, around the pixel
    that it came along.
    """
    points, way = [], 0
    last = -1
    while sides[y, x, way]:
        if way != last:
            points.append((x, y))
        sides[y, x, way] = False
        x, y = x + _STEPS[way][0], y + _STEPS[way][1]
        last = way
        for turn in (way + 1, way, way + 3):
            if sides[y, x, turn % 4]:
                way = turn % 4
                break
    return np.array(points, np.float64)


def simplify(ring: Ring, tolerance: float) -> Ring:
    """Return a ring with fewer points, none of them moved.

    Every point of the ring is within the tolerance of the line that replaces
    it (Douglas and Peucker 1973). A ring that would lose its area is kept as
    it is.

    Args:
        ring: ``(K, 2)``.
        tolerance: Distance in pixels.
    """
    if tolerance == 0 or len(ring) <= 4:
        return ring
    far = int(((ring - ring[0]) ** 2).sum(1).argmax())
    closed = np.vstack([ring, ring[:1]])
    kept = {0, far}
    parts = [(0, far), (far, len(ring))]
    while parts:
        first, last = parts.pop()
        if last - first < 2:
            continue
        distance = _distances(
            closed[first + 1 : last], closed[first], closed[last]
        )
        worst = int(distance.argmax())
        if distance[worst] > tolerance:
            middle = first + 1 + worst
            kept.add(middle)
            parts += [(first, middle), (middle, last)]
    result = ring[sorted(kept)]
    return result if abs(area(result)) > 0 else ring


def _distances(points: Ring, start: Ring, end: Ring) -> Ring:
    """Return the distances of points to a line segment."""
    along = end - start
    length = float(along @ along)
    share = np.zeros(len(points))
    if length > 0:
        share = np.clip((points - start) @ along / length, 0, 1)
    nearest = start + share[:, None] * along
    return np.sqrt(((points - nearest) ** 2).sum(1))


def area(ring: Ring) -> float:
    """Return the area of a ring, with a sign for its direction."""
    x, y = ring.T
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)


def keyhole(rings: Sequence[Ring]) -> Ring:
    """Return one ring around the same area as a ring with holes.

    Formats with polygons of one ring cannot hold holes otherwise. Each hole
    is joined by a horizontal cut, which the ring runs along in both
    directions. Cuts lie between rows of pixels.

    Args:
        rings: The outer ring, and those of holes.
    """
    merged, *holes = rings
    for hole in sorted(holes, key=lambda ring: ring[:, 0].min()):
        start = int(hole[:, 0].argmin())
        hole = np.vstack([np.roll(hole, -start, 0), hole[start]])
        edge, x = _left_of(merged, hole[0])
        cut = np.array([[x, hole[0, 1]]])
        merged = np.vstack(
            [merged[: edge + 1], cut, hole, cut, merged[edge + 1 :]]
        )
    return merged


def _left_of(ring: Ring, point: Ring) -> tuple[int, float]:
    """Return the nearest edge to the left of a point, and where it is met.

    Where simplified rings cross there may be none: then the first edge.
    """
    first, second = ring, np.roll(ring, -1, 0)
    low = np.minimum(first[:, 1], second[:, 1])
    high = np.maximum(first[:, 1], second[:, 1])
    met = np.flatnonzero((low <= point[1]) & (point[1] < high))
    rise = second[met, 1] - first[met, 1]
    share = (point[1] - first[met, 1]) / rise
    x = first[met, 0] + share * (second[met, 0] - first[met, 0])
    left = x <= point[0]
    if not left.any():
        return 0, float(ring[0, 0])
    best = int(np.where(left, x, -np.inf).argmax())
    return int(met[best]), float(x[best])
