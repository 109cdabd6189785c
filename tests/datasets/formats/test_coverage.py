"""Covered pixels against a literal, exact reference."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmseg_sparse.datasets.formats.coverage import (
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


@pytest.mark.parametrize('width', [1, 2, 3, 4, 5, 8])
@pytest.mark.parametrize('start', [10, 10.5])
def test_level_and_upright_lines_are_as_wide_as_they_are(width, start):
    size = (40, 44)
    level = cover_line(np.array([[5, start], [35, start]]), width, size)
    upright = cover_line(np.array([[start, 5], [start, 35]]), width, size)
    across = whole(level, size)[:, 20], whole(upright, size)[20]
    for pixels in across:
        assert pixels.sum() == width
        assert np.flatnonzero(pixels).mean() + 0.5 - start in (0, 0.5)
    # However many points lie on the way.
    points = np.stack([np.arange(5, 35.5, 0.5), np.full(61, start)], 1)
    many = cover_line(points, width, size)
    assert np.array_equal(whole(many, size), whole(level, size))


@pytest.mark.parametrize('width', [1, 2, 3, 4, 5])
def test_diagonal_lines_are_alike_in_all_four_directions(width):
    size = (30, 30)
    rising = np.array([[2, 2], [28, 28]])
    first = whole(cover_line(rising, width, size), size)
    # Level, the line is the width times the root of two wide.
    assert abs(first[15].sum() - width * 2**0.5) < 1
    for points, turned in (
        (rising[::-1], first),
        (rising * [-1, 1] + [30, 0], first[:, ::-1]),
        (rising * [1, -1] + [0, 30], first[::-1]),
    ):
        got = whole(cover_line(points, width, size), size)
        assert np.array_equal(got, turned)


def test_lines_that_touch_share_no_pixel():
    # Along (4, 3), five to the side is (-3, 4).
    size, line = (60, 50), np.array([[-40, -20], [120, 100]])
    covers = [
        whole(cover_line(line + step * np.array([-3, 4]), 5, size), size)
        for step in range(-14, 15)
    ]
    assert np.array_equal(np.sum(covers, 0), np.ones((50, 60)))


def test_middles_at_just_half_the_width():
    size = (9, 6)
    level = whole(cover_line(np.array([[2, 2], [6, 2.0]]), 3.0, size), size)
    # Middles of rows 0 and 3 are 1.5 above and below: the latter count. Beyond
    # the ends, those of columns 1 and 6 are 0.5 away sideways: rows 1 and 2
    # (0.5² + 0.5²); rows 0 and 3 and columns 0 and 7 are too far by the 0.5.
    expected = np.zeros((6, 9), bool)
    expected[1:4, 2:6] = True
    expected[1:3, [1, 6]] = True
    assert np.array_equal(level, expected)
    # The middle (4.5, 0.5) is (4, 0) from the start of a line along (4, 3):
    # |4 * 3 - 0 * 4| / 5 = 2.4 away.
    slope = np.array([[0.5, 0.5], [8.5, 6.5]])
    assert whole(cover_line(slope, 4.875, size), size)[0, 4]
    assert not whole(cover_line(slope, 4.75, size), size)[0, 4]
    # Along (3, 4), |5 * 4 - 0 * 3| / 5 = 4 away to the right, then the left.
    steep = np.array([[-2.5, -3.5], [6.5, 8.5]])
    assert whole(cover_line(steep, 8.0, size), size)[0, 5]
    steep += [5, 0]
    assert not whole(cover_line(steep, 8.0, size), size)[0, 0]


def test_a_disc_round_a_middle_is_as_round_as_can_be():
    disc = whole(cover_disc((3.5, 2.5), 2, (8, 6)), (8, 6))
    expected = np.zeros((6, 8), bool)
    expected[2, 1:6] = expected[0:5, 3] = expected[1:4, 2:5] = True
    assert np.array_equal(disc, expected)


def test_the_tip_of_a_line_of_one_piece():
    line = np.array([[2, 2.5], [10, 2.5]])
    row = whole(cover_line(line, 3.0, (14, 5)), (14, 5))[2]
    # 0.5 to 11.5: the left one is just 1.5 away.
    assert np.flatnonzero(row).tolist() == list(range(1, 12))


def test_a_corner_that_is_touched_is_not_crossed():
    steps = np.stack([np.arange(0, 6), np.arange(5, -1, -1)], 1) * 1.0
    for points in (steps, steps[[0, -1]], steps[[0, 0, -1, -1]]):
        for width in (0.1, 1.0):
            covered = whole(cover_line(points, width, (7, 7)), (7, 7))
            expected = np.zeros((7, 7), bool)
            expected[range(5), range(4, -1, -1)] = True
            assert np.array_equal(covered, expected)


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
