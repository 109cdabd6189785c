"""Pictures of labels and predictions; numpy, OpenCV and Matplotlib only."""

from .draw import (
    colorize,
    draw_strokes,
    encode_png,
    enlarge,
    fit_into,
    heat_map,
    on_paper,
    overlay,
    to_grey,
    widen_strokes,
)
from .head_weights import plot_head_weights
from .sheet import picture_sheet
from .strokes import draw_labels, draw_outlined_strokes

__all__ = [
    'colorize',
    'draw_labels',
    'draw_outlined_strokes',
    'draw_strokes',
    'encode_png',
    'enlarge',
    'fit_into',
    'heat_map',
    'on_paper',
    'overlay',
    'picture_sheet',
    'plot_head_weights',
    'to_grey',
    'widen_strokes',
]
