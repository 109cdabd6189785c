"""Relative distances to the boundary (BLPSeg, figure 1), by hand."""

import numpy as np
import pytest

from mmseg_sparse.doctor import relative_distance
from mmseg_sparse.labels.boundary_distance import distribution
from tests.helpers.sick_labels import square


def test_relative_distance_on_a_square() -> None:
    ratio = relative_distance(square())
    # Rings of the square: 1, 2 and 3 pixels from the nearest outside.
    rings = np.ones((5, 5))
    rings[1:4, 1:4] = 2
    rings[2, 2] = 3
    np.testing.assert_allclose(ratio[1:6, 5:10], rings / 3, rtol=1e-6)
    # Outside, the left column is farthest: 5 pixels from the square, or
    # more in the corners, sqrt(25 + 1) from the pixel at row 1, column 5.
    assert ratio[3, 0] == pytest.approx(5 / 26**0.5)
    assert ratio[0, 0] == 1
    assert ratio[0, 5] == pytest.approx(1 / 26**0.5)


def test_relative_distance_by_search() -> None:
    rng = np.random.default_rng(3)
    dense = rng.integers(0, 3, (3, 4)).repeat(3, 0).repeat(4, 1)
    dense = dense.astype(np.uint8)
    dense[dense == 2] = 255
    at = np.argwhere(np.ones(dense.shape, bool))
    values = dense.ravel()
    gaps = np.sqrt(((at[:, None] - at[None]) ** 2).sum(2))
    far = np.where(values[:, None] != values[None], gaps, np.inf).min(1)
    want = np.zeros(len(at))
    for value in (0, 1):
        own = values == value
        want[own] = far[own] / far[own].max()
    got = relative_distance(dense)
    np.testing.assert_allclose(got.ravel(), want, rtol=1e-5)
    assert (got[dense == 255] == 0).all()


def test_a_class_that_fills_the_image_has_no_boundary() -> None:
    assert not relative_distance(np.ones((3, 4), np.uint8)).any()
    assert not relative_distance(np.full((3, 4), 255, np.uint8)).any()


def test_bins_hold_their_upper_edge() -> None:
    counts = distribution(np.array([0, 0.01, 0.05, 0.051, 0.35, 1], 'f4'))
    assert {k: n for k, n in enumerate(counts.tolist()) if n} == {
        0: 2, 1: 1, 6: 1, 19: 1,
    }  # fmt: skip
