"""Coordinates of a whole slide, on an image that is a part of it."""

import math
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ...utils.untrusted import FormatError
from .annotation import ImageAnnotation, PixelRegion, Point, Region, Shape

#: Larger numbers are mistakes.
_LARGEST = 1e6


def on_image(
    annotation: ImageAnnotation, downsample: float, offset: tuple[float, float]
) -> ImageAnnotation:
    """Return an annotation in pixels of its image.

    A point p of the slide becomes (p - ``offset``) / ``downsample``, and the
    widths of strokes shrink likewise. The size of the slide is not that of the
    image and is dropped.

    Args:
        annotation: In pixels of the slide at full resolution.
        downsample: Pixels of the slide, along a side, in one of the image.
        offset: ``(x, y)`` of the image's top left corner on the slide.

    Raises:
        FormatError: If a mask of pixels would have to be scaled, or moved by
            a part of a pixel.
    """
    if downsample == 1 and offset == (0, 0):
        return annotation
    move = partial(_moved, downsample=downsample, offset=offset)
    shapes = []
    for shape in annotation.shapes:
        if isinstance(shape, PixelRegion) and (
            downsample != 1 or any(value % 1 for value in offset)
        ):
            raise FormatError(
                annotation.source, shape.entry,
                'a mask of pixels cannot be scaled; export it as an outline, '
                'or at the resolution of the image',
            )  # fmt: skip
        shapes.append(move(shape))
    return replace(annotation, size=None, shapes=tuple(shapes))


def check_slide(downsample: float, offset: tuple[float, float]) -> None:
    """Raise ValueError unless coordinates can be changed so."""
    if not 0 < downsample <= _LARGEST:
        raise ValueError(
            f'downsample must be above 0 and at most {_LARGEST:g}, got '
            f'{downsample}'
        )
    if not all(math.isfinite(v) and abs(v) <= _LARGEST for v in offset):
        raise ValueError(
            f'offset must be two numbers of at most {_LARGEST:g}, got {offset}'
        )


def _moved(
    shape: Shape, downsample: float, offset: tuple[float, float]
) -> Shape:
    def place(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return (points - offset) / downsample

    if isinstance(shape, PixelRegion):
        left, top = (
            int(value - shift)
            for value, shift in zip(shape.origin, offset, strict=True)
        )
        return replace(shape, origin=(left, top))
    if isinstance(shape, Point):
        x, y = place(np.array(shape.xy)).tolist()
        return replace(shape, xy=(x, y))
    if isinstance(shape, Region):
        return replace(shape, rings=tuple(map(place, shape.rings)))
    width = None if shape.width is None else shape.width / downsample
    return replace(shape, points=place(shape.points), width=width)
