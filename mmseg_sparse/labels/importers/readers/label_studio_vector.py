"""Paths of Label Studio's tools Vector and VectorLabels."""

from itertools import pairwise

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from ....utils.untrusted import FormatError, shown
from .shared import Coordinate

#: Part of a path, ``(K, 2)`` in pixels.
Line = NDArray[np.float64]
#: Most pieces that a curve is cut into; of 1000 pixels, 0.1 pixel is lost.
_PIECES = 64
#: Where a curve's second handle is, as a share of the straight line, if only
#: one of its ends has one.
_SHARE = 0.3


class Handle(Struct):
    """A control point of a Bézier curve, in percent."""

    x: Coordinate
    y: Coordinate


class Vertex(Handle, rename='camel'):
    """A point of a path; the line to it comes from ``prev_point_id``."""

    id: str | None = None
    prev_point_id: str | None = None
    is_bezier: bool = False
    control_point1: Handle | None = None
    control_point2: Handle | None = None


class Vector(Struct):
    """The value of a result of type ``vector`` or ``vectorlabels``."""

    vertices: list[Vertex] = field()
    closed: bool = False


def vector_lines(
    value: Vector, extent: tuple[int, int], source: object, entry: str
) -> list[Line]:
    """Return the lines of a path, in pixels.

    Vertices follow one another by ``prevPointId``, or in their order if none
    has one. Between vertices with handles the path is a cubic Bézier curve.

    Args:
        value: The path.
        extent: ``(width, height)`` of the image.
        source: The file, for messages.
        entry: Where in it the path stands.

    Returns:
        One line; of a path that branches, a line for each of its pieces. A
        closed path ends where it begins.

    Raises:
        FormatError: If a path has no vertex, names one that is missing, or is
            closed and branches.
    """
    if not value.vertices:
        raise FormatError(source, f'{entry}.vertices', 'the path has no point')
    links = _links(value.vertices, source, entry)
    ends = [end for _, end in links]
    starts = [start for start, _ in links]
    chain = _chain(dict(links), set(ends), len(value.vertices))
    if len(set(starts)) < len(links) or chain is None:  # branches, or pieces
        if value.closed:
            raise FormatError(
                source, f'{entry}.closed',
                'expected one path without branches, as it is closed',
            )  # fmt: skip
        runs = [[start, end] for start, end in links]
        lone = set(range(len(value.vertices))) - {*starts, *ends}
        runs += [[index] for index in sorted(lone)]
    else:
        runs = [[*chain, chain[0]] if value.closed else chain]
    scale = np.array(extent) / 100
    return [_line([value.vertices[i] for i in run], scale) for run in runs]


def _links(
    vertices: list[Vertex], source: object, entry: str
) -> list[tuple[int, int]]:
    """Return which vertex is joined to which, by their places."""
    if all(vertex.prev_point_id is None for vertex in vertices):
        return list(pairwise(range(len(vertices))))
    places = {vertex.id: index for index, vertex in enumerate(vertices)}
    links = []
    for index, vertex in enumerate(vertices):
        before = vertex.prev_point_id
        if before is None:
            continue
        if before not in places:
            raise FormatError(
                source, f'{entry}.vertices[{index}].prevPointId',
                f'no vertex has the id {shown(before)}',
            )  # fmt: skip
        links.append((places[before], index))
    return links


def _chain(
    after: dict[int, int], ends: set[int], number: int
) -> list[int] | None:
    """Return all vertices in their order along the path, if it is one."""
    place = next((i for i in range(number) if i not in ends), 0)
    chain = [place]
    while (place := after.get(place, chain[0])) != chain[0]:
        chain.append(place)
        if len(chain) > number:
            return None
    return chain if len(chain) == number else None


def _line(vertices: list[Vertex], scale: NDArray[np.float64]) -> Line:
    """Return the path through vertices, each curve as a line of pieces."""
    pieces = [np.array([[vertices[0].x, vertices[0].y]]) * scale]
    for start, end in pairwise(vertices):
        pieces.append(_piece(start, end, scale))
    return np.concatenate(pieces)


def _piece(start: Vertex, end: Vertex, scale: NDArray[np.float64]) -> Line:
    """Return the path from one vertex to the next, without its start."""
    a, d = (np.array([v.x, v.y]) * scale for v in (start, end))
    first = start.control_point2 if start.is_bezier else None
    second = end.control_point1 if end.is_bezier else None
    if first is None and second is None:
        return d[None]
    b = a + _SHARE * (d - a)
    c = d - _SHARE * (d - a)
    if first is not None:
        b = np.array([first.x, first.y]) * scale
    if second is not None:
        c = np.array([second.x, second.y]) * scale
    length = sum(np.hypot(*(q - p)) for p, q in pairwise((a, b, c, d)))
    number = int(np.clip(np.ceil(length), 1, _PIECES))
    t = np.linspace(0, 1, number + 1)[1:, None]
    s = 1 - t
    curve: Line = s**3 * a + 3 * s**2 * t * b + 3 * s * t**2 * c + t**3 * d
    return curve
