"""From points, strokes and areas to a label map."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
#: Which of several shapes has a pixel: that of the highest ``z``, of equal
#: ones the later; or the smaller area, whatever its ``z``; or the later in
#: the source, whatever its ``z``. 'error': shapes of several classes may not
#: overlap.
OVERLAPS = ('layers', 'smaller-on-top', 'later-on-top', 'error')
#: Where nothing is drawn yet; 255 is void, which is drawn like a class.
_NOTHING = -1


@dataclass(frozen=True, eq=False)
class Raster:
    """A label map and what happened to the shapes on the way.

    Attributes:
        labels: ``(H, W)`` of ``uint8``; ``ignore_index`` = no label.
        void: Bool ``(H, W)``: what the source says is of no class.
        contested: Number of pixels that shapes of different classes cover, by
            the index of the class that has them and of the one that lies
            right beneath.
        clipped: Shapes that reach beyond the image.
        vanished: Shapes that cover no pixel: wholly outside, or areas that
            hold no pixel's middle.
    """

    labels: NDArray[np.uint8]
    void: NDArray[np.bool_]
    contested: dict[tuple[int, int], int]
    clipped: int
    vanished: int

    @property
    def conflicts(self) -> int:
        """Number of pixels that shapes of different classes cover."""
        return sum(self.contested.values())


def rasterize(
    annotation: ImageAnnotation,
    class_ids: Mapping[str, int],
    size: tuple[int, int],
    *,
    stroke_width: float = 3.0,
    point_radius: float = 0.0,
    ignore_index: int = 255,
    overlap: str = 'layers',
) -> Raster:
    """Draw the shapes of one image.

    A pixel is in a stroke if its middle is less than half the width away from
    the line (or just that on its right or lower side), or the line runs
    through it; in a point if its middle is at most the radius away, or the
    point lies in it; in an area if its middle lies inside an odd number of
    rings. A shape whose class index is ``ignore_index`` is void: it is drawn
    as the others are, and takes pixels from those beneath it.

    With ``overlap='smaller-on-top'``, areas are ordered by how many pixels of
    the image they cover, equal ones by the source; points and strokes lie
    above them, in the order of the source.

    Args:
        annotation: Shapes, in pixels of the image.
        class_ids: Class index by label.
        size: ``(width, height)`` of the image.
        stroke_width: Width of strokes that have none of their own.
        point_radius: Radius of points; 0 = the one pixel.
        ignore_index: Value of pixels without label.
        overlap: One of :data:`OVERLAPS`.

    Raises:
        FormatError: If a label is not in ``class_ids``, a coordinate is not
            finite, a width is out of range, or shapes of several classes
            overlap that may not.
        ValueError: If a width or radius given here is.
    """
    check_brush(stroke_width, point_radius)
    for shape in annotation.shapes:
        _check(shape, class_ids, annotation.source)

    def cover_of(shape: Shape) -> Cover:
        return _cover(shape, size, stroke_width, point_radius)

    top, beneath, vanished = _painted(
        annotation, class_ids, size, overlap, cover_of
    )
    return Raster(
        np.where(top == _NOTHING, ignore_index, top).astype(np.uint8),
        top == ignore_index,
        _pairs(top, beneath),
        clipped=sum(_reaches_out(s, size) for s in annotation.shapes),
        vanished=vanished,
    )


def _painted(
    annotation: ImageAnnotation,
    class_ids: Mapping[str, int],
    size: tuple[int, int],
    overlap: str,
    cover_of: Callable[[Shape], Cover],
) -> tuple[NDArray[np.int16], NDArray[np.int16], int]:
    """Return each pixel's class, that right below, and who has no pixel."""
    top = np.full((size[1], size[0]), _NOTHING, np.int16)
    beneath = top.copy()
    vanished = 0
    for shape in _ordered(annotation.shapes, overlap, cover_of):
        index = class_ids[shape.label]
        cover = cover_of(shape)
        vanished += not cover.mask.any()
        below = top[cover.slices]  # a view
        other = cover.mask & (below != _NOTHING) & (below != index)
        if overlap == 'error' and other.any():
            raise _overlapping(annotation, shape, class_ids, size, cover_of)
        beneath[cover.slices][other] = below[other]
        below[cover.mask] = index
    return top, beneath, vanished


def _ordered(
    shapes: Sequence[Shape], overlap: str, cover_of: Callable[[Shape], Cover]
) -> list[Shape]:
    """Return shapes in the order in which they are drawn."""
    if overlap == 'later-on-top':
        return list(shapes)
    if overlap != 'smaller-on-top':
        return sorted(shapes, key=lambda shape: shape.z)
    areas = [s for s in shapes if isinstance(s, Region | PixelRegion)]
    sizes = {id(s): np.count_nonzero(cover_of(s).mask) for s in areas}
    areas.sort(key=lambda shape: -sizes[id(shape)])
    return areas + [s for s in shapes if isinstance(s, Point | Stroke)]


def _pairs(
    top: NDArray[np.int16], beneath: NDArray[np.int16]
) -> dict[tuple[int, int], int]:
    """Return the number of contested pixels by (class, class beneath)."""
    both = beneath != _NOTHING
    codes, numbers = np.unique(
        top[both].astype(np.int64) * 256 + beneath[both], return_counts=True
    )
    return {
        divmod(int(code), 256): int(number)
        for code, number in zip(codes, numbers, strict=True)
    }


def _overlapping(
    annotation: ImageAnnotation,
    upper: Shape,
    class_ids: Mapping[str, int],
    size: tuple[int, int],
    cover_of: Callable[[Shape], Cover],
) -> FormatError:
    """Return the error that names the two shapes and what they share."""
    cover = cover_of(upper)
    shapes = _ordered(annotation.shapes, 'error', cover_of)
    for lower in shapes[: shapes.index(upper)]:
        under = cover_of(lower)
        drawn = np.zeros((size[1], size[0]), bool)
        drawn[under.slices] = under.mask
        shared = np.count_nonzero(drawn[cover.slices] & cover.mask)
        if shared and class_ids[lower.label] != class_ids[upper.label]:
            break
    return FormatError(
        annotation.source, upper.entry,
        f'{shown(upper.label)} overlaps {shown(lower.label)} of '
        f'{lower.entry} in {shared} pixels of {shown(annotation.image)}; '
        'choose by --overlap which one has them',
    )  # fmt: skip


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


def _check(shape: Shape, class_ids: Mapping[str, int], source: object) -> None:
    """Raise unless a shape can be drawn; readers should have seen to it."""
    if shape.label not in class_ids:
        raise FormatError(
            source, shape.entry, f'unknown class {shown(shape.label)}'
        )
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
    low, high = _extent(shape)
    return bool((low < 0).any() or (high > np.array(size)).any())


def is_outside(shape: Shape, size: tuple[int, int]) -> bool:
    """Tell whether a shape lies beyond one edge of the image as a whole."""
    low, high = _extent(shape)
    return bool((high < 0).any() or (low > np.array(size)).any())


def _extent(shape: Shape) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the least and greatest x and y of a shape; of nothing, 0."""
    if isinstance(shape, PixelRegion):
        rows, columns = (np.flatnonzero(shape.pixels.any(a)) for a in (1, 0))
        if not len(rows):
            return np.zeros(2), np.zeros(2)
        left, top = shape.origin
        low = np.array([left + columns[0], top + rows[0]])
        return low, np.array([left + columns[-1] + 1, top + rows[-1] + 1])
    points = (
        np.concatenate(shape.rings)
        if isinstance(shape, Region)
        else _points(shape)
    )
    return points.min(0), points.max(0)
