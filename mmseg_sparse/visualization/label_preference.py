"""Plots of BLPSeg's label preference analysis."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .draw import Picture
from .figure import INK, new_figure, render, tidy_axes

_SIZE = (7.6, 4.8)  # inches


@dataclass(frozen=True)
class Curve:
    """One line of a plot over relative distances.

    Attributes:
        name: For the legend.
        values: One a bin, of equal width in (0, 1]; NaN = no value there.
        color: Any colour of Matplotlib.
        filled: Whether the area below is filled, which puts it behind.
        dashed: Whether the line is.
    """

    name: str
    values: Sequence[float] | NDArray[np.floating]
    color: str
    filled: bool = False
    dashed: bool = False


def plot_distributions(curves: Sequence[Curve], title: str) -> Picture:
    """Draw distributions over relative distances (BLPSeg, figures 1, 7a).

    Args:
        curves: Shares of the bins; each is drawn in percent.
        title: Above the plot.

    Returns:
        The plot, RGB.

    Raises:
        ValueError: If there is no curve.
    """
    shares = [
        Curve(c.name, 100 * np.asarray(c.values), c.color, c.filled, c.dashed)
        for c in curves
    ]
    figure, axes = _axes(shares, title, 'share of a bin, %')
    top = max(float(np.nanmax(np.asarray(c.values))) for c in shares)
    axes.set_ylim(0, 1.08 * top or 1)
    return render(figure)


def plot_precision(curves: Sequence[Curve], title: str) -> Picture:
    """Draw precision by relative distance (BLPSeg, figure 7b).

    Args:
        curves: Precision of the bins, in [0, 1].
        title: Above the plot.

    Returns:
        The plot, RGB.

    Raises:
        ValueError: If there is no curve, or none has a value.
    """
    figure, axes = _axes(curves, title, 'right pixels of a bin, %')
    every = np.concatenate([np.asarray(c.values, float) for c in curves])
    every = every[np.isfinite(every)]
    if not every.size:
        raise ValueError('no curve has a value')
    low = max(0.0, float(every.min()) - 0.05)
    axes.set_ylim(low, min(1.0, float(every.max()) + 0.05))
    axes.yaxis.set_major_formatter(lambda value, _: f'{100 * value:.0f}')
    return render(figure)


def _axes(curves: Sequence[Curve], title: str, unit: str) -> tuple[Any, Any]:
    if not curves:
        raise ValueError('there is no curve to draw')
    figure = new_figure(*_SIZE, layout='tight')
    axes = figure.add_subplot()
    for curve in curves:
        values = np.asarray(curve.values, float)
        middle = (np.arange(len(values)) + 0.5) / len(values)
        if curve.filled:
            axes.bar(
                middle, values, 1 / len(values), color=curve.color,
                edgecolor='white', linewidth=0.5, label=curve.name, zorder=1,
            )  # fmt: skip
            continue
        axes.plot(
            middle, values, color=curve.color, linewidth=1.8, markersize=3.5,
            marker='o', linestyle='--' if curve.dashed else '-',
            label=curve.name,
        )  # fmt: skip
    axes.set_title(title, fontsize=10, loc='left', color=INK,
                   parse_math=False)  # fmt: skip
    axes.set_xlabel(
        'relative distance to the boundary: 0 = boundary, 1 = farthest from '
        'it, by class and image', fontsize=9, color=INK,
    )  # fmt: skip
    axes.set_ylabel(unit, fontsize=9, color=INK)
    axes.set_xlim(0, 1)
    tidy_axes(axes)
    # In the order of the curves; Matplotlib has lines before areas.
    handles = dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
    legend = axes.legend(
        [handles[curve.name] for curve in curves],
        [curve.name for curve in curves], fontsize=8.5, frameon=False,
        handlelength=3.2,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure, axes
