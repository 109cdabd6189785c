"""Pictures of labels and predictions; numpy and OpenCV only."""

from .draw import colorize, draw_strokes, enlarge, overlay, widen_strokes
from .sheet import picture_sheet

__all__ = [
    'colorize',
    'draw_strokes',
    'enlarge',
    'overlay',
    'picture_sheet',
    'widen_strokes',
]
