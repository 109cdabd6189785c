"""Covered pixels against a literal, exact reference."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmseg_sparse.labels.importers.coverage import (
    cover_area,
    cover_disc,
    cover_line,
    cover_pixels,
)

from ...reference import coverage as reference

#: In eighths, so that corners and middles of pixels are hit often.
coordinates = st.integers(-40, 120).map(lambda v: v / 8)
sizes = st.tuples(st.integers(1, 12), st.integers(1, 12))
exact = settings(max_examples=100, derandomize=True, deadline=None)


def outlines(least, most=6):
    pair = st.tuples(coordinates, coordinates)
    return st.lists(pair, min_size=least, max_size=most).map(
        lambda pairs: np.array(pairs, np.float64)
    )


def whole(cover, size):
    image = np.zeros((size[1], size[0]), bool)
    image[cover.slices] = cover.mask
    return image


@exact
@given(
    outlines(2),
    st.sampled_from([0, 0.25, 0.5, 1, 1.25, 1.5, 2, 3, 5.5, 20]),
    sizes,
)
def test_lines(points, width, size):
    expected = np.array(reference.line(points, width, size))
    assert np.array_equal(whole(cover_line(points, width, size), size),
                          expected)  # fmt: skip


@exact
@given(outlines(1, 1), st.sampled_from([0, 0.5, 1, 1.5, 4, 9]), sizes)
def test_dots(points, width, size):
    expected = np.array(reference.line(points, width, size))
    (x, y) = points[0]
    if 0 <= x <= size[0] and 0 <= y <= size[1]:
        # On the far edges, the pixel before.
        column = min(int(x), size[0] - 1)
        expected[min(int(y), size[1] - 1), column] = True
    assert np.array_equal(whole(cover_line(points, width, size), size),
                          expected)  # fmt: skip


@exact
@given(st.lists(outlines(1), min_size=1, max_size=3), sizes)
def test_areas(rings, size):
    expected = np.array(reference.area(rings, size))
    assert np.array_equal(whole(cover_area(tuple(rings), size), size),
                          expected)  # fmt: skip


@exact
@given(
    st.integers(-5, 12), st.integers(-5, 12), sizes, sizes, st.integers(0, 99)
)
def test_pixels(left, top, box, size, seed):
    pixels = np.random.default_rng(seed).random((box[1], box[0])) < 0.5
    expected = np.zeros((size[1], size[0]), bool)
    for row, column in np.argwhere(pixels):
        if 0 <= row + top < size[1] and 0 <= column + left < size[0]:
            expected[row + top, column + left] = True
    cover = cover_pixels(pixels, (left, top), size)
    assert np.array_equal(whole(cover, size), expected)


@exact
@given(outlines(1, 1), st.sampled_from([0, 0.5, 1, 1.5, 2, 2.5, 5]), sizes)
def test_discs(points, radius, size):
    (centre,) = points.tolist()
    expected = np.array(reference.disc(centre, radius, size))
    (x, y) = centre
    if 0 <= x <= size[0] and 0 <= y <= size[1]:
        column = min(int(x), size[0] - 1)
        expected[min(int(y), size[1] - 1), column] = True
    assert np.array_equal(whole(cover_disc(centre, radius, size), size),
                          expected)  # fmt: skip


def test_a_corner_is_crossed_where_no_middle_is_near():
    # x + y = 1.95 is 0.67 away from the middle (0.5, 0.5).
    line = np.array([[-2, 3.95], [3.95, -2]])
    assert cover_line(line, 1.3, (4, 4)).mask[0, 0]
    assert cover_line(line, 1.34, (4, 4)).mask[0, 0]


@pytest.mark.parametrize('width', [0.5, 3.0, 90.0])
def test_long_lines_far_out(width):
    """Long lines are cut into pieces; rounding is no issue off the grid."""
    rng = np.random.default_rng(int(width))
    for scale in (200.0, 1e6):
        points = rng.uniform(-scale, scale, (4, 2))
        points[1:3] = rng.uniform(0, 40, (2, 2))
        expected = np.array(reference.line(points, width, (45, 33)))
        got = whole(cover_line(points, width, (45, 33)), (45, 33))
        assert expected.any()
        assert np.array_equal(got, expected)


def test_holes_are_rings_inside_rings():
    square = np.array([[1, 1], [6, 1], [6, 6], [1, 6.0]])
    hole = np.array([[2, 2], [2, 4], [4, 4], [4, 2.0]])
    inside = whole(cover_area((square, hole), (8, 7)), (8, 7))
    assert inside.sum() == 25 - 4
    assert not inside[2:4, 2:4].any()
    # Either direction of turning is the same, and a ring twice is nothing.
    assert np.array_equal(
        inside, whole(cover_area((square[::-1], hole), (8, 7)), (8, 7))
    )
    assert not cover_area((square, square), (8, 7)).mask.any()


def test_areas_that_touch_share_no_pixel():
    rng = np.random.default_rng(0)
    cut = rng.uniform(0, 20, (30, 2))
    cut = cut[np.argsort(cut[:, 1])]
    cut[0, 1], cut[-1, 1] = 0, 20
    left = np.concatenate([cut, [[0, 20], [0, 0]]])
    right = np.concatenate([cut, [[20, 20], [20, 0]]])
    a, b = (
        whole(cover_area((side,), (20, 20)), (20, 20)).astype(int)
        for side in (left, right)
    )
    assert np.array_equal(a + b, np.ones((20, 20)))


def test_lines_beyond_the_image_cost_little():
    points = np.random.default_rng(0).uniform(-1e6, 1e6, (100_000, 2))
    began = time.process_time()
    cover_line(points, 3.0, (512, 512))
    cover_line(points, 1.0, (512, 512))
    # Following them pixel by pixel would take 1e11 steps.
    assert time.process_time() - began < 5
