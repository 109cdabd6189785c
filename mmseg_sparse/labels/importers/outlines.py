"""Outlines of the shapes that annotation tools describe by few numbers."""

import numpy as np
from numpy.typing import NDArray

#: How far, in pixels, a chord of an ellipse's outline may lie inside it.
_CHORD_ERROR = 0.1


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
