"""A plot of the weights of attention heads in a learned affinity."""

import numpy as np
from numpy.typing import NDArray

from .draw import Picture
from .figure import GREY, INK, finish_axes, new_figure, render

#: Of positive and of negative weights; told apart by colour-blind readers.
_COLORS = ('#0072b2', '#d55e00')


def plot_head_weights(
    weights: NDArray[np.floating], title: str = ''
) -> Picture:
    """Draw the weight of each head as a bar, a panel for each layer.

    This is AFA's figure 14, which shows the last layer alone.

    Args:
        weights: Of each layer's heads, ``(layers, heads)``.
        title: Above the plot.

    Returns:
        The plot, RGB. All panels have one scale.
    """
    layers, heads = weights.shape
    figure = new_figure(max(1.2 + 0.42 * heads, 3) * layers, 2.8)
    numbers = np.arange(1, heads + 1)
    first = None
    for layer, row in enumerate(weights, 1):
        axes = figure.add_subplot(1, layers, layer, sharey=first)
        first = first or axes
        axes.bar(numbers, row, 0.72, color=[_COLORS[int(w < 0)] for w in row])
        axes.axhline(0, color=GREY, linewidth=1)
        axes.set_xticks(numbers)
        finish_axes(axes, f'layer {layer} of the stage')
        axes.grid(visible=False, axis='x')
        axes.set_xlabel('head', fontsize=9, color=INK)
        if layer == 1:
            axes.set_ylabel('weight', fontsize=9, color=INK)
    figure.suptitle(title, fontsize=10, x=0.02, ha='left', color=INK)
    return render(figure)
