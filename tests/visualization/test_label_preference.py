"""Plots and heat maps of the label preference analysis."""

import numpy as np
import pytest

from mmseg_sparse.visualization.label_preference import (
    Curve,
    fit_into,
    heat_map,
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


def test_heat_is_blue_at_0_and_red_from_top_on():
    image = np.full((2, 3, 3), 100, np.uint8)
    values = np.array([[0, 1, 2], [3, 4, 99]], float)
    picture = heat_map(image, values, top=4, opacity=1).astype(int)
    assert picture[0, 0, 2] >= picture[0, 0, 0]
    assert picture[1, 1, 0] > 100 > picture[1, 1, 2]
    np.testing.assert_array_equal(picture[1, 1], picture[1, 2])
    assert len({tuple(p) for p in picture.reshape(-1, 3).tolist()}) == 5
    half = heat_map(image, values, top=4, opacity=0.5)
    assert (np.abs(half - (picture + 100) / 2) <= 0.5).all()
    np.testing.assert_array_equal(heat_map(image, values, opacity=0), image)
    assert (image == 100).all()


def test_what_does_not_fit_is_named():
    image = np.zeros((2, 3, 3), np.uint8)
    with pytest.raises(ValueError, match=r'got \(2, 3, 3\), \(3, 2\)'):
        heat_map(image, np.zeros((3, 2)))
    for change in (dict(top=0), dict(opacity=1.5), dict(opacity=-1)):
        with pytest.raises(ValueError, match=r'top must be above 0 and opac'):
            heat_map(image, np.zeros((2, 3)), **change)


@pytest.mark.parametrize('shape', [(40, 20), (20, 40), (5, 5)])
def test_a_picture_keeps_its_ratio(shape):
    picture = np.full((*shape, 3), 50, np.uint8)
    paper = fit_into(picture, (30, 60))
    assert paper.shape == (30, 60, 3)
    drawn = (paper == 50).all(-1)
    rows, columns = drawn.any(1).sum(), drawn.any(0).sum()
    assert drawn[:rows, :columns].all()
    assert columns / rows == shape[1] / shape[0]
    assert rows == 30 or columns == 60


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
