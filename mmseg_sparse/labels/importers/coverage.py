"""Outlines of boxes and ellipses, and the pixels that shapes cover.

Pixel ``(column, row)`` covers ``[column, column + 1)`` by ``[row, row + 1)``.
Comparisons are made without division or roots where that is possible, so that
coordinates in whole and half pixels give exact answers.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Pixels tested at once; bounds the memory.
_CHUNK = 2**18
#: Length of the pieces that lines are cut into, in pixels.
_PIECE = (8.0, 64.0)
#: From this width on, a line covers the middle of every pixel it touches.
_WIDE = 1.415
_SLACK = 1e-6
#: How far, in pixels, a chord of an ellipse's outline may lie inside it.
_CHORD_ERROR = 0.1


@dataclass(frozen=True, eq=False)
class Cover:
    """Pixels within an image: ``mask`` with its top left pixel's place."""

    left: int
    top: int
    mask: NDArray[np.bool_]

    @property
    def slices(self) -> tuple[slice, slice]:
        """Where in the image ``mask`` lies."""
        height, width = self.mask.shape
        return (
            slice(self.top, self.top + height),
            slice(self.left, self.left + width),
        )


def cover_line(
    points: NDArray[np.float64], width: float, size: tuple[int, int]
) -> Cover:
    """Cover what is within ``width / 2`` of a line, and what it runs through.

    A pixel is covered if its middle is less than ``width / 2`` away from the
    line, or a part of the line, not a single point of it, lies in the pixel.
    Of middles that are just ``width / 2`` away, those to the right of the line
    and those straight below it are covered: a level or upright line of whole
    width is as many pixels wide wherever it lies, and of two parallel lines
    that touch each pixel is in one.

    A line of one point is a dot; one on the right or lower edge of the image
    lies in the last pixel.

    Args:
        points: ``(K, 2)``, K >= 1.
        width: At least 0.
        size: ``(width, height)`` of the image.
    """
    cover = _window(points, width / 2, size)
    starts, ends = points[:-1], points[1:]
    moving = (starts != ends).any(1)
    dot = not moving.any()
    if dot:
        starts = ends = points[:1]
    else:
        starts, ends = starts[moving], ends[moving]
    starts, ends, low, high = _clip(starts, ends, cover, width / 2 + 2)
    _draw_near(cover, starts, ends, low, high, width / 2)
    if width < _WIDE:
        _draw_crossed(cover, starts, ends, np.array(size) if dot else None)
    return cover


def cover_disc(
    centre: tuple[float, float], radius: float, size: tuple[int, int]
) -> Cover:
    """Cover what is at most ``radius`` away, and the pixel it lies in.

    A radius reaches from middle to middle: round the middle of a pixel, a
    disc is ``2 * radius + 1`` pixels across and the same to all sides, since
    middles that are just the radius away are in it. A centre on the right or
    lower edge of the image lies in the last pixel.

    Args:
        centre: ``(x, y)``.
        radius: At least 0.
        size: ``(width, height)`` of the image.
    """
    place = np.array([centre], np.float64)
    cover = _window(place, radius, size)
    height, width = cover.mask.shape
    x = np.arange(width) + (cover.left + 0.5 - centre[0])
    y = np.arange(height) + (cover.top + 0.5 - centre[1])
    cover.mask[:] = (x * x)[None, :] + (y * y)[:, None] <= radius * radius
    _draw_crossed(cover, place, place, np.array(size))
    return cover


def cover_area(
    rings: tuple[NDArray[np.float64], ...], size: tuple[int, int]
) -> Cover:
    """Cover the pixels whose middle is inside an odd number of the rings.

    A middle on the outline counts as inside where the area lies to its right
    (or, on a level edge, below it), so that areas that touch share no pixel.
    """
    cover = _window(np.concatenate(rings), 0.0, size)
    height, width = cover.mask.shape
    parity = np.zeros((height, width + 1), np.uint8)
    for ring in rings:
        a, b = ring, np.roll(ring, -1, 0)
        # Rows whose middle is at or below one end and above the other.
        low, high = np.sort(np.stack([a[:, 1], b[:, 1]]), 0)
        first = np.clip(np.ceil(low - 0.5) - cover.top, 0, height)
        last = np.clip(np.ceil(high - 0.5) - cover.top, 0, height)
        for edge, row in _expanded(first, last):
            y = row + cover.top + 0.5
            (ax, ay), (bx, by) = a[edge].T, b[edge].T
            x = ax + ((y - ay) * (bx - ax)) / (by - ay)
            column = np.ceil(x - 0.5) - cover.left
            column = np.clip(column, 0, width).astype(np.intp)
            np.bitwise_xor.at(parity, (row, column), 1)
    inside = np.bitwise_xor.accumulate(parity[:, :-1], 1)
    cover.mask[:] = inside.astype(bool)
    return cover


def cover_pixels(
    pixels: NDArray[np.bool_],
    origin: tuple[int, int],
    size: tuple[int, int],
) -> Cover:
    """Cover given pixels, as far as they are in the image."""
    left, top = origin
    height, width = pixels.shape
    x0, x1 = np.clip([left, left + width], 0, size[0]).tolist()
    y0, y1 = np.clip([top, top + height], 0, size[1]).tolist()
    return Cover(x0, y0, pixels[y0 - top : y1 - top, x0 - left : x1 - left])


def _window(
    points: NDArray[np.float64], margin: float, size: tuple[int, int]
) -> Cover:
    """Return the empty cover of the points' box, clipped to the image."""
    low = np.floor(points.min(0) - margin - _SLACK)
    high = np.floor(points.max(0) + margin + _SLACK) + 1
    left, top = (int(v) for v in np.clip(low, 0, size))
    right, bottom = (int(v) for v in np.clip(high, 0, size))
    # A point on the far edge of the image is in its last pixel.
    left, top = min(left, size[0] - 1), min(top, size[1] - 1)
    right, bottom = max(right, left), max(bottom, top)
    return Cover(left, top, np.zeros((bottom - top, right - left), bool))


def _clip(
    starts: NDArray[np.float64],
    ends: NDArray[np.float64],
    cover: Cover,
    margin: float,
) -> tuple[NDArray[np.float64], ...]:
    """Return the segments that come near, and from where to where they do.

    That is in shares of their length, 0 to 1; the segments stay whole.
    """
    rows, columns = cover.slices
    low = np.zeros(len(starts))
    high = np.ones(len(starts))
    for axis, part in ((0, columns), (1, rows)):
        a, b = starts[:, axis], ends[:, axis]
        first, last = part.start - margin, part.stop + margin
        step = np.where(a == b, 1.0, b - a)
        enter, leave = (first - a) / step, (last - a) / step
        outside = (a < first) | (a > last)
        level = a == b
        enter = np.where(level, np.where(outside, 2.0, 0.0), enter)
        leave = np.where(level, np.where(outside, 2.0, 1.0), leave)
        low = np.maximum(low, np.minimum(enter, leave))
        high = np.minimum(high, np.maximum(enter, leave))
    kept = low <= high
    return starts[kept], ends[kept], low[kept], high[kept]


def _draw_near(
    cover: Cover,
    starts: NDArray[np.float64],
    ends: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    radius: float,
) -> None:
    """Set the pixels whose middle is within ``radius`` of a segment.

    The segments are cut into pieces of a few pixels, so that only boxes of
    one size around them need testing, many at once; each pixel is tested
    against the whole segment.
    """
    steps = ends - starts
    length = np.hypot(*steps.T) * (high - low)
    piece = min(max(2 * radius, _PIECE[0]), _PIECE[1])
    count = np.maximum(np.ceil(length / piece), 1)
    side = int(np.ceil(piece + 2 * radius)) + 2
    grid = np.arange(side) + 0.5
    chunk = max(1, _CHUNK // side**2)
    height, width = cover.mask.shape
    for index, number in _expanded(np.zeros(len(count)), count, chunk):
        share = (high - low)[index] / count[index]
        begin = low[index] + number * share
        a, step = starts[index], steps[index]
        p = a + begin[:, None] * step
        q = a + (begin + share)[:, None] * step
        corner = np.floor(np.minimum(p, q) - radius - _SLACK)
        x = (corner[:, :1] + grid)[:, None, :] - a[:, 0, None, None]
        y = (corner[:, 1:] + grid)[:, :, None] - a[:, 1, None, None]
        hit, row, column = np.nonzero(_within(x, y, step, radius))
        column = column + (corner[hit, 0] - cover.left).astype(np.intp)
        row = row + (corner[hit, 1] - cover.top).astype(np.intp)
        seen = (0 <= row) & (row < height) & (0 <= column) & (column < width)
        cover.mask[row[seen], column[seen]] = True


def _within(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    step: NDArray[np.float64],
    radius: float,
) -> NDArray[np.bool_]:
    """Tell which places, relative to a segment's start, are near it."""
    dx, dy = step[:, 0, None, None], step[:, 1, None, None]
    square, reach = dx * dx + dy * dy, radius * radius
    along = x * dx + y * dy
    across = x * dy - y * dx
    # The foot on the line is (across * dy, -across * dx) / square away.
    by_side = _below(
        across * across, reach * square, across * dy, -across * dx
    )
    by_start = _below(x * x + y * y, reach, x, y)
    x, y = x - dx, y - dy
    by_end = _below(x * x + y * y, reach, x, y)
    return np.where(
        along <= 0, by_start, np.where(along >= square, by_end, by_side)
    )


def _below(
    value: NDArray[np.float64],
    bound: NDArray[np.float64] | float,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Compare; what is equal counts to the right of the line or below it."""
    later = (x > 0) | ((x == 0) & (y > 0))
    return (value < bound) | ((value == bound) & later)


def _draw_crossed(
    cover: Cover,
    starts: NDArray[np.float64],
    ends: NDArray[np.float64],
    edges: NDArray[np.int64] | None,
) -> None:
    """Set the pixels that segments run through; ``edges`` are those of dots.

    A segment visits the pixels where it begins and ends and, wherever it
    meets the line between two columns or rows, those before and after. One
    that it only touches is not among them.
    """
    steps = ends - starts
    for place, inwards in ((starts, steps), (ends, -steps)):
        cells = np.floor(place)
        cells -= (cells == place) & (inwards < 0)
        if edges is not None:
            cells = np.where(place == edges, edges - 1, cells)
        _set(cover, cells[:, 0], cells[:, 1])
    rows, columns = cover.slices
    for axis, part in ((0, columns), (1, rows)):
        a, b = starts[:, axis], ends[:, axis]
        first = np.maximum(np.ceil(np.minimum(a, b)), part.start)
        last = np.minimum(np.floor(np.maximum(a, b)), part.stop)
        last = np.where(a == b, first - 1, last)
        for index, k in _expanded(first, np.maximum(last + 1, first)):
            u0, u1 = a[index], b[index]
            v0, v1 = starts[index, 1 - axis], ends[index, 1 - axis]
            u = k.astype(np.float64)
            v = v0 + ((u - u0) * (v1 - v0)) / (u1 - u0)
            ahead, rising = u1 > u0, np.sign(v1 - v0) * (v == np.floor(v))
            for there, du, dv in (
                (u != u0, ahead, rising > 0),
                (u != u1, ~ahead, rising < 0),
            ):
                places = (u - du)[there], (np.floor(v) - dv)[there]
                _set(cover, *(places if axis == 0 else places[::-1]))


def _set(
    cover: Cover, columns: NDArray[np.float64], rows: NDArray[np.float64]
) -> None:
    """Set pixels by their place in the image, as far as they are in it."""
    height, width = cover.mask.shape
    row, column = rows - cover.top, columns - cover.left
    seen = (0 <= row) & (row < height) & (0 <= column) & (column < width)
    cover.mask[row[seen].astype(np.intp), column[seen].astype(np.intp)] = True


def _expanded(
    first: NDArray[np.float64],
    stop: NDArray[np.float64],
    chunk: int = _CHUNK,
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.int64]]]:
    """Yield ``(i, k)`` for all k of range(first[i], stop[i]), in chunks."""
    counts = (stop - first).astype(np.int64)
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    for begin in range(0, total, chunk):
        place = np.arange(begin, min(begin + chunk, total))
        index = np.searchsorted(ends, place, side='right')
        offset = place - (ends - counts)[index]
        yield index, first[index].astype(np.int64) + offset


def rectangle(
    left: float,
    top: float,
    right: float,
    bottom: float,
    *,
    degrees: float = 0.0,
    pivot: tuple[float, float] | None = None,
) -> NDArray[np.float64]:
    """Return the corners of a box that may be turned.

    Args:
        left: Left edge.
        top: Upper edge.
        right: Right edge.
        bottom: Lower edge.
        degrees: Angle by which the box is turned, clockwise as seen.
        pivot: The point it turns about, None = its middle.

    Returns:
        Corners ``(4, 2)``: top left, top right, bottom right, bottom left of
        the box before it is turned.
    """
    corners = np.array(
        [[left, top], [right, top], [right, bottom], [left, bottom]],
        np.float64,
    )
    if pivot is None:
        pivot = ((left + right) / 2, (top + bottom) / 2)
    return _turn(corners, pivot, degrees)


def ellipse(
    centre: tuple[float, float],
    radii: tuple[float, float],
    *,
    degrees: float = 0.0,
) -> NDArray[np.float64]:
    """Return an ellipse as a polygon whose corners lie on it.

    Args:
        centre: ``(x, y)``.
        radii: Half axes along x and y before it is turned, at least 0.
        degrees: Angle by which it is turned about ``centre``, clockwise as
            seen.

    Returns:
        Corners ``(K, 2)``, so many that the polygon's edges are nowhere more
        than 0.1 pixel inside the ellipse.
    """
    # A chord over the angle 2a is r (1 - cos a) away from its arc.
    cosine = 1 - _CHORD_ERROR / max(*radii, 2 * _CHORD_ERROR)
    # Fours, so that the ends of both axes are corners.
    count = 4 * max(2, int(np.ceil(np.pi / np.arccos(cosine) / 4)))
    angle = np.arange(count) * (2 * np.pi / count)
    unit = np.stack([np.cos(angle), np.sin(angle)], 1)
    return _turn(unit * radii + np.array(centre), centre, degrees)


def _turn(
    points: NDArray[np.float64], pivot: tuple[float, float], degrees: float
) -> NDArray[np.float64]:
    """Turn points clockwise as seen; the y axis points downwards."""
    if degrees % 360 == 0:  # exact, where most boxes are not turned
        return points
    angle = np.deg2rad(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, sin], [-sin, cos]])  # for rows (x, y)
    return (points - pivot) @ turn + pivot
