"""Plots of the results of several methods on several kinds of labels."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .draw import Picture
from .figure import GREY, INK, finish_axes, new_figure, render

#: Colours that colour-blind readers can tell apart (Okabe and Ito).
_COLORS = ('#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9',
           '#000000')  # fmt: skip
_MARKERS = 'osD^vPX'


@dataclass(frozen=True)
class Point:
    """A result of a method.

    Attributes:
        panel: What shares a panel, such as data set and backbone.
        labels: Kind of the training labels.
        method: Name of the method, which decides the colour.
        share: Share of labelled pixels, percent; None: not known.
        values: The metric of each seed, percent.
        closed: Share of the gap to dense labels that is closed, percent.
    """

    panel: str
    labels: str
    method: str
    share: float | None
    values: Sequence[float]
    closed: float | None


def plot_quality(
    points: Sequence[Point], title: str, metric: str
) -> Picture | None:
    """Draw a metric over the share of labelled pixels, a panel each.

    Several seeds are drawn as mean and standard deviation.

    Args:
        points: The results.
        title: Above the plot.
        metric: Name of the axis.

    Returns:
        The plot, RGB; None where no result has a share.
    """
    styles = _styles(points)
    points = [point for point in points if point.share]
    panels = list(dict.fromkeys(point.panel for point in points))
    if not panels:
        return None
    figure = new_figure(5.4 * len(panels), 4.2)
    for number, panel in enumerate(panels, 1):
        axes = figure.add_subplot(1, len(panels), number)
        own = [point for point in points if point.panel == panel]
        axes.set_xscale('log')
        _place(axes, own, styles)
        shares = {point.share: point.labels for point in own}
        axes.set_xticks(
            list(shares),
            [f'{share:.3g} %\n{kind}' for share, kind in shares.items()],
        )
        axes.minorticks_off()
        axes.margins(0.15, 0.12)
        finish_axes(axes, panel if len(panels) > 1 else '')
        axes.set_xlabel('labelled pixels', fontsize=9, color=INK)
        axes.set_ylabel(f'{metric}, %', fontsize=9, color=INK)
    figure.suptitle(title, fontsize=10, x=0.02, ha='left', color=INK)
    _legend(figure, figure.axes)
    return render(figure)


def _place(axes: Any, points: Sequence[Point], styles: Any) -> None:
    """Draw each result; those at one share beside each other."""
    for method, style in styles.items():
        own = [p for p in points if p.method == method]
        if not own:
            continue
        beside = [_offset(p, points) for p in own]
        axes.errorbar(
            [(p.share or 0) * f for p, f in zip(own, beside, strict=True)],
            [statistics.mean(p.values) for p in own],
            [statistics.stdev(p.values) if len(p.values) > 1 else 0
             for p in own],
            linestyle='none', capsize=2.5, elinewidth=1, markersize=6,
            label=method, **style,
        )  # fmt: skip


def _offset(point: Point, points: Sequence[Point]) -> float:
    """Return a factor close to 1 that tells results at one share apart."""
    shares = [p.share for p in points if p.share]
    factor = max(max(shares) / min(shares), 10.0) ** 0.025
    same = [p.method for p in points if p.share == point.share]
    return float(factor ** (same.index(point.method) - (len(same) - 1) / 2))


def plot_lengths(
    curves: Mapping[str, Mapping[float, Sequence[float]]],
    title: str,
    metric: str,
) -> Picture:
    """Draw a metric over the length of strokes, a line for each method.

    Several seeds are drawn as mean and standard deviation.

    Args:
        curves: Method -> length in percent -> the metric of each seed.
        title: Above the plot.
        metric: Name of the axis.

    Returns:
        The plot, RGB.
    """
    figure = new_figure(5.4, 3.8)
    axes = figure.add_subplot()
    for number, (method, curve) in enumerate(curves.items()):
        values = [curve[length] for length in sorted(curve)]
        axes.errorbar(
            sorted(curve),
            [statistics.mean(each) for each in values],
            [statistics.stdev(v) if len(v) > 1 else 0 for v in values],
            capsize=2.5, elinewidth=1, markersize=6, linewidth=1.4,
            label=method, **_style(number),
        )  # fmt: skip
    finish_axes(axes, '')
    axes.set_xticks(sorted({x for curve in curves.values() for x in curve}))
    axes.set_xlabel('length of the strokes, %', fontsize=9, color=INK)
    axes.set_ylabel(f'{metric}, %', fontsize=9, color=INK)
    figure.suptitle(title, fontsize=10, x=0.02, ha='left', color=INK)
    _legend(figure, figure.axes)
    return render(figure)


def plot_closed(
    points: Sequence[Point], title: str, metric: str
) -> Picture | None:
    """Draw the closed share of the gap of each method as bars.

    Args:
        points: The results.
        title: Above the plot.
        metric: The metric that the gap is of.

    Returns:
        The plot, RGB; None where no result closes a gap.
    """
    styles = _styles(points)
    points = [p for p in points if p.closed is not None]
    if not any(p.closed for p in points):
        return None
    points = [p for p in points if p.closed != 0]  # the baseline itself
    groups = list(dict.fromkeys((p.panel, p.labels) for p in points))
    figure = new_figure(7.6, 1.3 + 0.34 * (len(points) + len(groups)))
    axes = figure.add_subplot()
    place, places, names = 0.0, [], []
    for group in groups:
        for point in (p for p in points if (p.panel, p.labels) == group):
            color = styles[point.method]['color']
            axes.barh(place, point.closed, 0.72, color=color)
            axes.annotate(
                f'{point.closed:.0f} %', (max(point.closed or 0, 0), place),
                xytext=(4, 0), textcoords='offset points', va='center',
                fontsize=8, color=INK,
                bbox=dict(facecolor='white', edgecolor='none', pad=1),
            )  # fmt: skip
            places.append(place)
            names.append(f'{point.method}: {point.panel}, {point.labels}')
            place += 1
        place += 0.5
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    for at, style in ((0, '-'), (100, '--')):
        axes.axvline(at, color=GREY, linestyle=style, linewidth=1)
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, 0), max(high, 112))
    finish_axes(axes, '')
    axes.grid(visible=False, axis='y')
    axes.set_xlabel(
        f'closed share of the gap in {metric}, %: 0 = baseline, 100 = dense '
        'labels', fontsize=9, color=INK,
    )  # fmt: skip
    figure.suptitle(title, fontsize=10, x=0.02, ha='left', color=INK)
    return render(figure)


def _styles(points: Sequence[Point]) -> dict[str, dict[str, str]]:
    """Return the colour and the marker of each method."""
    methods = list(dict.fromkeys(point.method for point in points))
    return {method: _style(number) for number, method in enumerate(methods)}


def _style(number: int) -> dict[str, str]:
    return dict(
        color=_COLORS[number % len(_COLORS)],
        marker=_MARKERS[number % len(_MARKERS)],
    )


def _legend(figure: Any, every: Sequence[Any]) -> None:
    found: dict[str, Any] = {}
    for axes in every:
        handles, labels = axes.get_legend_handles_labels()
        found |= dict(zip(labels, handles, strict=True))
    figure.legend(
        list(found.values()), list(found), loc='outside right center',
        fontsize=8.5, frameon=False,
    )  # fmt: skip
