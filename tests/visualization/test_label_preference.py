"""Plots and heat maps of the label preference analysis."""

import numpy as np
import pytest

from mmseg_sparse.visualization.label_preference import (
    Curve,
    plot_distributions,
    plot_precision,
)

RED, GREEN = (255, 0, 0), (0, 160, 0)


def places(picture, color):
    """Rows and columns of a colour."""
    return np.nonzero((picture == color).all(-1))


def test_a_distribution_is_drawn_where_it_is():
    low, high = np.zeros(20), np.zeros(20)
    low[:4], high[16:] = 0.25, 0.25
    picture = plot_distributions(
        [
            Curve('low', low, '#ff0000', filled=True),
            Curve('high', high, '#00a000', filled=True),
        ],
        'a $title_',
    )
    assert picture.dtype == np.uint8
    width = picture.shape[1]
    for color, side in ((RED, 0), (GREEN, 1)):
        # Of the outer thirds, so that the legend is not among it.
        columns = places(picture, color)[1]
        columns = columns[np.abs(columns - width / 2) > width / 6]
        assert len(columns) > 1000
        assert ((columns > width / 2) == side).all()


def test_precision_has_gaps_where_nothing_is():
    values = np.linspace(0.2, 0.9, 20)
    curve = Curve('x', values, '#ff0000')
    whole = plot_precision([curve], 'x')
    values = values.copy()
    values[8:12] = np.nan
    gap = plot_precision([Curve('x', values, '#ff0000')], 'x')
    middle = slice(int(0.46 * whole.shape[1]), int(0.54 * whole.shape[1]))
    assert len(places(whole[:, middle], RED)[0]) > 100
    assert len(places(gap[:, middle], RED)[0]) == 0
    # It rises to the right.
    rows, columns = places(gap, RED)
    left = columns < 0.4 * whole.shape[1]
    assert rows[left].mean() > rows[columns > 0.7 * whole.shape[1]].mean()


def test_nothing_to_draw_is_told():
    with pytest.raises(ValueError, match='no curve to draw'):
        plot_distributions([], 'x')
    with pytest.raises(ValueError, match='no curve has a value'):
        plot_precision([Curve('x', np.full(20, np.nan), 'k')], 'x')


def test_the_legend_has_the_order_of_the_curves():
    # Matplotlib would have lines before areas.
    values = np.full(20, np.nan)
    values[0] = 0.1
    picture = plot_distributions(
        [
            Curve('area', values, '#ff0000', filled=True),
            Curve('line', values, '#00a000'),
        ],
        'x',
    )
    right = picture[:, picture.shape[1] // 2 :]
    red, green = (places(right, color)[0] for color in (RED, GREEN))
    assert len(red) > 20
    assert len(green) > 10
    assert red.max() < green.min()
