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
    canvas = (dim * to_grey(image)).astype(np.uint8)
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


def heat_map(
    image: Picture,
    values: NDArray[np.floating],
    *,
    top: float = 1.0,
    opacity: float = 0.75,
) -> Picture:
    """Lay values over a grey image: 0 is blue, ``top`` and above red.

    Args:
        image: ``(H, W, 3)``, RGB.
        values: ``(H, W)``.
        top: The value of the last colour.
        opacity: Opacity of the colours, in [0, 1].

    Raises:
        ValueError: If the sizes differ or an argument is out of range.
    """
    _check_same_size(image, values, 'values')
    if not top > 0 or not 0 <= opacity <= 1:
        raise ValueError(
            f'expected top above 0 and opacity in [0, 1], got {top}, {opacity}'
        )
    level = np.rint(255 * np.clip(values / top, 0, 1)).astype(np.uint8)
    colors = cv2.applyColorMap(level, cv2.COLORMAP_TURBO)[..., ::-1]
    mixed = opacity * colors + (1 - opacity) * to_grey(image)
    return np.rint(mixed).astype(np.uint8)


def to_grey(image: Picture) -> Picture:
    """Return an RGB image in grey, still of three channels."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)


def fit_into(picture: Picture, size: tuple[int, int]) -> Picture:
    """Return a picture scaled to the largest size within ``(H, W)``."""
    scale = min(size[0] / picture.shape[0], size[1] / picture.shape[1])
    height, width = (max(1, round(scale * n)) for n in picture.shape[:2])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(picture, (width, height), interpolation=method)
    return small.astype(np.uint8, copy=False)


def on_paper(
    picture: Picture, size: tuple[int, int], *, centred: bool = False
) -> Picture:
    """Put a picture on white paper of a size ``(H, W)``, at the upper left.

    Args:
        picture: ``(h, w, 3)``, not larger than the paper.
        size: Height and width of the paper.
        centred: Put it in the middle instead.
    """
    height, width = picture.shape[:2]
    top, left = 0, 0
    if centred:
        top, left = (size[0] - height) // 2, (size[1] - width) // 2
    paper = np.full((*size, 3), 255, np.uint8)
    paper[top : top + height, left : left + width] = picture
    return paper


def encode_png(picture: Picture) -> bytes:
    """Return the PNG file of an RGB picture."""
    done, content = cv2.imencode('.png', picture[..., ::-1])
    assert done, 'a PNG can always be made'
    return content.tobytes()


def enlarge(picture: Picture, factor: int) -> Picture:
    """Enlarge a picture by a whole number, without inventing colours."""
    if factor < 1:
        raise ValueError(f'factor must be at least 1, got {factor}')
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def _check_same_size(
    image: Picture, other: NDArray[np.generic], name: str = 'labels'
) -> None:
    if image.shape != (*other.shape, 3):
        raise ValueError(
            f'expected image (H, W, 3) and {name} (H, W), got '
            f'{image.shape}, {other.shape}'
        )
