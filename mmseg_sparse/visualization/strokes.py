"""Sparse labels that stand out on any image."""

import cv2
import numpy as np

from .draw import Palette, Picture, colorize, widen_strokes

_WHITE = 255


def draw_outlined_strokes(
    image: Picture,
    strokes: Picture,
    palette: Palette,
    *,
    widen: int = 2,
    dim: float = 0.65,
    ignore_index: int = 255,
) -> Picture:
    """Draw strokes with a dark and a white rim, on a dimmed grey image.

    The rims keep a stroke apart from its surroundings where its class has
    their colour, as a grey one on a grey sky.

    Args:
        image: ``(H, W, 3)``, RGB.
        strokes: ``(H, W)``, ``ignore_index`` off the strokes.
        palette: The colours of the classes.
        widen: Pixels by which strokes grow on each side, without the rims.
        dim: How much of the image is left, in [0, 1].
        ignore_index: Id of "no label here".

    Raises:
        ValueError: If sizes differ or an argument is out of range.
    """
    if image.shape != (*strokes.shape, 3):
        raise ValueError(
            'expected image (H, W, 3) and strokes (H, W), got '
            f'{image.shape}, {strokes.shape}'
        )
    if widen < 0 or not 0 <= dim <= 1:
        raise ValueError(
            'widen must be at least 0 and dim lie in [0, 1], got '
            f'{widen}, {dim}'
        )
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    canvas = np.repeat((dim * grey).astype(np.uint8)[..., None], 3, axis=2)
    for rim, value in ((2, 0), (1, _WHITE)):
        outer = widen_strokes(strokes, widen + rim, ignore_index=ignore_index)
        canvas[outer != ignore_index] = value
    wide = widen_strokes(strokes, widen, ignore_index=ignore_index)
    known = wide != ignore_index
    colours = colorize(wide, palette, ignore_index=ignore_index)
    canvas[known] = colours[known]
    return canvas
