"""How wide lines and discs come out, by hand."""

import numpy as np
import pytest

from mmseg_sparse.labels.importers.coverage import cover_disc, cover_line

from .test_coverage import whole


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
