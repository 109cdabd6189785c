"""Plots of one style, drawn by Matplotlib without a display."""

from typing import Any

import numpy as np

from .draw import Picture

INK = '#282828'
GREY = '#9a9a9a'


def new_figure(
    width: float,
    height: float,
    *,
    dpi: int = 130,
    layout: Any = 'constrained',
) -> Any:
    """Return a figure of a size in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((width, height), dpi=dpi, facecolor='white', layout=layout)
    FigureCanvasAgg(figure)
    return figure


def finish_axes(axes: Any, title: str) -> None:
    """Set the title, and draw axes and grid lightly."""
    axes.set_title(title, fontsize=9, color=INK)
    tidy_axes(axes)


def tidy_axes(axes: Any, grid: str = 'both') -> None:
    """Draw axes and grid lightly."""
    for side in ('top', 'right'):
        axes.spines[side].set_visible(False)
    for side in ('left', 'bottom'):
        axes.spines[side].set_color(GREY)
    axes.tick_params(labelsize=8, colors=INK)
    axes.set_axisbelow(True)
    axes.grid(axis=grid, color='#e4e4e4', linewidth=0.7)


def render(figure: Any) -> Picture:
    """Return the picture of a figure, RGB."""
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()
