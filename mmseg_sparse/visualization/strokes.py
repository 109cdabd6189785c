"""Sparse labels that stand out on any image."""

import numpy as np

from .draw import (
    Palette,
    Picture,
    colorize,
    overlay,
    to_grey,
    widen_strokes,
)

_WHITE = 255
#: From this labelled share on, labels are drawn as areas.
DENSE = 0.5


def draw_labels(
    image: Picture,
    labels: Picture,
    palette: Palette,
    *,
    widen: int | None = None,
) -> Picture:
    """Draw labels on an image: strokes with rims, dense labels as areas.

    Args:
        image: ``(H, W, 3)``, RGB.
        labels: ``(H, W)``; values without a colour count as no label.
        palette: The colours of the classes.
        widen: As in :func:`draw_outlined_strokes`.
    """
    labels = np.where(labels < len(palette), labels, np.uint8(255))
    if (labels != 255).mean() > DENSE:
        return overlay(image, labels, palette)
    return draw_outlined_strokes(image, labels, palette, widen=widen)


def draw_outlined_strokes(
    image: Picture,
    strokes: Picture,
    palette: Palette,
    *,
    widen: int | None = None,
    dim: float = 0.65,
    ignore_index: int = 255,
) -> Picture:
    """Draw strokes with a dark and a white rim, on a dimmed grey image.

    The rims separate a stroke from its surroundings where both have one
    colour, as a grey stroke on a grey sky.

    Args:
        image: ``(H, W, 3)``, RGB.
        strokes: ``(H, W)``, ``ignore_index`` off the strokes.
        palette: The colours of the classes.
        widen: Pixels by which strokes grow on each side, without the rims;
            None: by the width of the image, and more where little is
            labelled, so that single pixels can be seen.
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
    if widen is None:
        few = (strokes != ignore_index).mean() < 0.002
        widen = max(1, round(image.shape[1] / (100 if few else 250)))
    if widen < 0 or not 0 <= dim <= 1:
        raise ValueError(
            'expected widen of at least 0 and dim in [0, 1], got '
            f'{widen}, {dim}'
        )
    canvas = (dim * to_grey(image)).astype(np.uint8)
    for rim, value in ((2, 0), (1, _WHITE)):
        outer = widen_strokes(strokes, widen + rim, ignore_index=ignore_index)
        canvas[outer != ignore_index] = value
    wide = widen_strokes(strokes, widen, ignore_index=ignore_index)
    known = wide != ignore_index
    colours = colorize(wide, palette, ignore_index=ignore_index)
    canvas[known] = colours[known]
    return canvas
