"""From points, strokes and areas to a label map."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...utils.untrusted import FormatError, shown
from .annotation import (
    ImageAnnotation,
    PixelRegion,
    Point,
    Region,
    Shape,
    Stroke,
)
from .coverage import (
    Cover,
    cover_area,
    cover_disc,
    cover_line,
    cover_pixels,
)

#: Wider strokes and larger points are mistakes.
MAX_WIDTH = 1000.0


@dataclass(frozen=True, eq=False)
class Raster:
    """A label map and what happened to the shapes on the way.

    Attributes:
        labels: ``(H, W)`` of ``uint8``; ``ignore_index`` = no label.
        conflicts: Pixels that shapes of different classes cover; the highest
            of them has the pixel.
        clipped: Shapes that reach beyond the image.
        vanished: Shapes that cover no pixel: wholly outside, or areas that
            hold no pixel's middle.
    """

    labels: NDArray[np.uint8]
    conflicts: int
    clipped: int
    vanished: int


def rasterize(
    annotation: ImageAnnotation,
    class_ids: Mapping[str, int],
    size: tuple[int, int],
    *,
    stroke_width: float = 3.0,
    point_radius: float = 0.0,
    ignore_index: int = 255,
) -> Raster:
    """Draw the shapes of one image.

    A pixel is in a stroke if its middle is less than half the width away from
    the line (or just that on its right or lower side), or the line runs
    through it; in a point if its middle is at most the radius away, or the
    point lies in it; in an area if its middle lies inside an odd number of
    rings. Where shapes overlap, the higher ``z`` wins, and of equal ones the
    later.

    Args:
        annotation: Shapes, in pixels of the image.
        class_ids: Class index by label. Shapes of a label whose index is
            ``ignore_index`` are left out.
        size: ``(width, height)`` of the image.
        stroke_width: Width of strokes that have none of their own.
        point_radius: Radius of points; 0 = the one pixel.
        ignore_index: Value of pixels without label.

    Raises:
        FormatError: If a label is not in ``class_ids``, a coordinate is not
            finite, or a width is out of range.
        ValueError: If a width or radius given here is.
    """
    check_brush(stroke_width, point_radius)
    labels = np.full((size[1], size[0]), ignore_index, np.uint8)
    conflict = np.zeros(labels.shape, bool)
    clipped = vanished = 0
    for shape in sorted(annotation.shapes, key=lambda shape: shape.z):
        if shape.label not in class_ids:
            raise FormatError(
                annotation.source, shape.entry,
                f'unknown class {shown(shape.label)}',
            )  # fmt: skip
        index = class_ids[shape.label]
        if index == ignore_index:
            continue
        _check(shape, annotation.source)
        cover = _cover(shape, size, stroke_width, point_radius)
        clipped += _reaches_out(shape, size)
        vanished += not cover.mask.any()
        below = labels[cover.slices]  # a view
        other = (below != ignore_index) & (below != index)
        conflict[cover.slices] |= cover.mask & other
        below[cover.mask] = index
    return Raster(labels, int(conflict.sum()), clipped, vanished)


def check_brush(stroke_width: float, point_radius: float) -> None:
    """Raise ValueError unless strokes and points can be drawn so."""
    if not 0 < stroke_width <= MAX_WIDTH:
        raise ValueError(
            f'stroke width must be above 0 and at most {MAX_WIDTH:g} pixels, '
            f'got {stroke_width}'
        )
    if not 0 <= point_radius <= MAX_WIDTH / 2:
        raise ValueError(
            f'point radius must be from 0 to {MAX_WIDTH / 2:g} pixels, got '
            f'{point_radius}'
        )


def _check(shape: Shape, source: object) -> None:
    """Raise unless a shape can be drawn; readers should have seen to it."""
    if isinstance(shape, PixelRegion):
        return
    arrays = shape.rings if isinstance(shape, Region) else (_points(shape),)
    for points in arrays:
        if points.ndim != 2 or points.shape[1] != 2 or not len(points):
            raise FormatError(
                source, shape.entry, f'no points in {points.shape}'
            )
        if not np.isfinite(points).all():
            raise FormatError(source, shape.entry, 'coordinate not finite')
    width = shape.width if isinstance(shape, Stroke) else None
    if width is not None and not (
        math.isfinite(width) and 0 < width <= MAX_WIDTH
    ):
        raise FormatError(
            source, shape.entry,
            f'expected a width above 0 and at most {MAX_WIDTH:g}, got {width}',
        )  # fmt: skip


def _points(shape: Point | Stroke) -> NDArray[np.float64]:
    if isinstance(shape, Point):
        return np.array([shape.xy], np.float64)
    return shape.points


def _cover(
    shape: Shape,
    size: tuple[int, int],
    stroke_width: float,
    point_radius: float,
) -> Cover:
    if isinstance(shape, PixelRegion):
        return cover_pixels(shape.pixels, shape.origin, size)
    if isinstance(shape, Region):
        return cover_area(shape.rings, size)
    if isinstance(shape, Point):
        return cover_disc(shape.xy, point_radius, size)
    width = stroke_width if shape.width is None else shape.width
    return cover_line(shape.points, width, size)


def _reaches_out(shape: Shape, size: tuple[int, int]) -> bool:
    """Tell whether a shape has a part beyond the edges of the image.

    Of strokes and points that is their line, not their width.
    """
    if isinstance(shape, PixelRegion):
        rows, columns = (np.flatnonzero(shape.pixels.any(a)) for a in (1, 0))
        if not len(rows):
            return False
        left, top = shape.origin
        low = np.array([left + columns[0], top + rows[0]])
        high = np.array([left + columns[-1] + 1, top + rows[-1] + 1])
    else:
        points = (
            np.concatenate(shape.rings)
            if isinstance(shape, Region)
            else _points(shape)
        )
        low, high = points.min(0), points.max(0)
    return bool((low < 0).any() or (high > np.array(size)).any())
