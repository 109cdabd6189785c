"""Label maps, predictions and strokes as pictures: numpy and OpenCV only.

Images are RGB ``uint8``; a palette is one RGB triple a class.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Palette = Sequence[Sequence[int]]


def colorize(
    labels: Picture,
    palette: Palette,
    *,
    ignore_index: int = 255,
    ignore_color: Sequence[int] = (255, 255, 255),
) -> Picture:
    """Paint each class in its colour.

    Args:
        labels: ``(H, W)`` of class ids or ``ignore_index``.
        palette: The colours of the classes.
        ignore_index: Id of a pixel without label.
        ignore_color: The colour of such pixels.

    Returns:
        ``(H, W, 3)``.

    Raises:
        ValueError: If a class has no colour.
    """
    table = np.zeros((256, 3), np.uint8)
    table[: len(palette)] = palette
    table[ignore_index] = ignore_color
    found = np.unique(labels)
    unknown = found[(found >= len(palette)) & (found != ignore_index)]
    if len(unknown):
        raise ValueError(
            f'labels holds class {unknown[0]}, but the palette has only '
            f'{len(palette)} colours'
        )
    return table[labels]


def overlay(
    image: Picture,
    labels: Picture,
    palette: Palette,
    *,
    opacity: float = 0.6,
    ignore_index: int = 255,
) -> Picture:
    """Lay the colours of the classes over an image.

    Pixels without label keep the image.

    Raises:
        ValueError: If the sizes differ or ``opacity`` is not in [0, 1].
    """
    _check_same_size(image, labels)
    if not 0 <= opacity <= 1:
        raise ValueError(f'opacity must lie in [0, 1], got {opacity}')
    colors = colorize(labels, palette, ignore_index=ignore_index)
    mixed = np.rint((1 - opacity) * image + opacity * colors)
    known = (labels != ignore_index)[..., None]
    return np.where(known, mixed, image).astype(np.uint8)


def draw_strokes(
    image: Picture,
    strokes: Picture,
    palette: Palette,
    *,
    widen: int = 1,
    dim: float = 0.5,
    ignore_index: int = 255,
) -> Picture:
    """Draw sparse labels thick enough to see, on a dimmed grey image.

    Args:
        image: ``(H, W, 3)``.
        strokes: ``(H, W)``, ``ignore_index`` off the strokes.
        palette: The colours of the classes.
        widen: Pixels by which strokes grow on each side. Where grown strokes
            meet, the one that was nearer wins.
        dim: How much of the image is left, in [0, 1].
        ignore_index: Id of "no label here".

    Raises:
        ValueError: If sizes differ or an argument is out of range.
    """
    _check_same_size(image, strokes)
    if widen < 0:
        raise ValueError(f'widen must be at least 0, got {widen}')
    if not 0 <= dim <= 1:
        raise ValueError(f'dim must lie in [0, 1], got {dim}')
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    canvas = np.repeat((dim * grey).astype(np.uint8)[..., None], 3, axis=2)
    wide = widen_strokes(strokes, widen, ignore_index=ignore_index)
    return overlay(canvas, wide, palette, opacity=1.0,
                   ignore_index=ignore_index)  # fmt: skip


def widen_strokes(
    strokes: Picture, radius: int, *, ignore_index: int = 255
) -> Picture:
    """Let each label spread to the unlabelled pixels within ``radius``."""
    known = strokes != ignore_index
    if radius == 0 or not known.any():
        return strokes.copy()
    distance, nearest = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8),
        cv2.DIST_L2,
        cv2.DIST_MASK_PRECISE,
        labelType=cv2.DIST_LABEL_PIXEL,
    )
    # OpenCV numbers the labelled pixels itself; read off who got which.
    value = np.full(nearest.max() + 1, ignore_index, np.uint8)
    value[nearest[known]] = strokes[known]
    spread = value[nearest]
    spread[distance > radius] = ignore_index
    return spread


def enlarge(picture: Picture, factor: int) -> Picture:
    """Enlarge a picture by a whole number, without inventing colours."""
    if factor < 1:
        raise ValueError(f'factor must be at least 1, got {factor}')
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def _check_same_size(image: Picture, labels: Picture) -> None:
    if image.shape != (*labels.shape, 3):
        raise ValueError(
            'expected image (H, W, 3) and labels (H, W), got '
            f'{image.shape}, {labels.shape}'
        )
