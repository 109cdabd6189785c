"""Simulated strokes: where they lie, how much they cover, repeatable."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from mmseg_sparse.labels.simulate import simulate_scribbles
from mmseg_sparse.labels.simulate.paths import longest_path

from ...helpers.masks import blobs, components, is_connected, masks

EVERY = dict(min_area=1, small_area=0)


@given(
    labels=masks(),
    seed=st.integers(0, 2**40),
    thickness=st.integers(1, 9),
    jitter=st.floats(0, 1),
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_each_region_has_one_stroke_inside(
    labels: np.ndarray, seed: int, thickness: int, jitter: float
) -> None:
    before = labels.copy()
    strokes = simulate_scribbles(
        labels, seed=seed, thickness=thickness, jitter=jitter, **EVERY
    )
    assert strokes.dtype == np.uint8
    assert np.array_equal(labels, before)
    known = strokes != 255
    assert np.array_equal(strokes[known], labels[known])
    for _, inside in components(labels):
        assert is_connected(known & inside)


def test_a_hand_that_misses_a_thin_region_leaves_a_dot() -> None:
    labels = np.full((24, 24), 255, np.uint8)
    cv2.circle(labels, (12, 12), 4, 0, 1)
    for seed in range(30):
        strokes = simulate_scribbles(
            labels, seed=seed, length=(0, 0.05), jitter=1, thickness=1, **EVERY
        )
        assert (strokes == 0).any()


def test_void_gets_no_stroke() -> None:
    labels = np.full((40, 60), 255, np.uint8)
    strokes = simulate_scribbles(labels, seed=0, **EVERY)
    assert (strokes == 255).all()


def test_same_seed_and_image_same_strokes() -> None:
    labels = blobs()
    first = simulate_scribbles(labels, seed=3, image_id='a')
    simulate_scribbles(labels, seed=3, image_id='b')
    assert np.array_equal(
        first, simulate_scribbles(labels, seed=3, image_id='a')
    )
    for other in (
        simulate_scribbles(labels, seed=3, image_id='b'),
        simulate_scribbles(labels, seed=4, image_id='a'),
    ):
        assert not np.array_equal(first, other)


def test_length_is_a_share_of_the_path() -> None:
    labels = np.full((30, 220), 1, np.uint8)  # its path is some 190 long
    for share in (0.0, 0.25, 0.5, 1.0):
        strokes = simulate_scribbles(
            labels, seed=1, thickness=1, length=(share, share), jitter=0.0
        )
        columns = np.flatnonzero((strokes == 1).any(0))
        long = columns[-1] - columns[0]
        path = longest_path(labels == 1)
        whole = np.ptp(path[:, 1])
        assert whole > 180
        assert long == pytest.approx(share * whole, abs=6)


def test_thickness_is_the_width() -> None:
    labels = np.zeros((40, 200), np.uint8)
    for thickness in (1, 2, 3, 6):
        strokes = simulate_scribbles(
            labels, seed=0, thickness=thickness, jitter=0.0, length=(1, 1)
        )
        across = (strokes == 0).sum(0)[60:140]
        assert np.median(across) == thickness


def test_jitter_moves_the_stroke_but_not_far() -> None:
    labels = np.zeros((40, 200), np.uint8)

    def height(jitter: float) -> np.ndarray:
        strokes = simulate_scribbles(
            labels, seed=0, thickness=1, jitter=jitter, length=(1, 1)
        )
        return np.array(
            [
                np.flatnonzero(column == 0).mean()
                for column in strokes.T[60:140]
            ]
        )

    assert np.ptp(height(0.0)) <= 1
    assert 3 < np.ptp(height(0.5)) <= 2 * 0.5 * 20 + 1


def test_small_regions_and_dropping() -> None:
    labels = np.full((60, 400), 255, np.uint8)
    for number in range(20):
        labels[5:11, number * 20 : number * 20 + 10] = 1  # 60 pixels each
        labels[20:50, number * 20 : number * 20 + 10] = 2  # 300 pixels

    def drawn(value: int, **options: float) -> int:
        strokes = simulate_scribbles(labels, seed=0, **options)
        _, count = ndimage.label(
            ndimage.binary_dilation(strokes == value, iterations=3)
        )
        return count

    assert drawn(1, min_area=60, small_area=0) == 20
    assert drawn(1, min_area=61) == 0
    kept = drawn(1, small_area=100, small_drop=0.5)
    assert 4 <= kept <= 16
    assert drawn(2, small_area=100, small_drop=0.5) == 20
    assert drawn(2, small_area=0, drop=1.0) == 0
    assert 4 <= drawn(2, small_area=0, drop=0.5) <= 16


@pytest.mark.parametrize('shape', [(1, 1), (2, 2), (1, 9), (9, 2)])
def test_tiny_regions_have_a_stroke(shape: tuple[int, int]) -> None:
    labels = np.zeros(shape, np.uint8)
    assert (simulate_scribbles(labels, seed=0, **EVERY) == 0).any()


def test_noise_gives_strokes_another_class_and_moves_none() -> None:
    right = wrong = 0
    for seed in range(30):
        labels = blobs(seed)
        clean = simulate_scribbles(labels, seed=seed, **EVERY)
        noisy = simulate_scribbles(labels, seed=seed, noise=0.3, **EVERY)
        assert np.array_equal(clean == 255, noisy == 255)
        for _, inside in components(labels):
            (value,) = set(noisy[inside & (noisy != 255)].tolist())
            assert value in labels
            is_wrong = value != labels[inside][0]
            wrong += is_wrong
            right += not is_wrong
    # Five standard deviations around 0.3.
    count = right + wrong
    assert count > 300
    assert abs(wrong / count - 0.3) < 5 * (0.3 * 0.7 / count) ** 0.5


def test_full_noise_leaves_no_right_stroke() -> None:
    labels = blobs()
    noisy = simulate_scribbles(labels, seed=0, noise=1.0, **EVERY)
    known = noisy != 255
    assert (noisy[known] != labels[known]).all()
    assert set(noisy[known].tolist()) == {0, 1, 2, 3, 4}  # every other class
    alone = np.zeros((30, 30), np.uint8)  # no class to take it for
    assert (simulate_scribbles(alone, seed=0, noise=1.0) != 255).any()
    assert set(simulate_scribbles(alone, seed=0, noise=1.0).flat) == {0, 255}


def test_options_of_some_regions_leave_the_strokes_of_others() -> None:
    labels = blobs()
    every = simulate_scribbles(labels, seed=0, **EVERY)
    some = simulate_scribbles(labels, seed=0, min_area=400, drop=0.5)
    kept = some != 255
    assert kept.any()
    assert np.array_equal(some[kept], every[kept])


def test_bad_arguments_are_named() -> None:
    labels = blobs()
    with pytest.raises(TypeError, match='uint8, got int64'):
        simulate_scribbles(labels.astype(np.int64), seed=0)
    with pytest.raises(ValueError, match=r'\(90, 140, 1\)'):
        simulate_scribbles(labels[..., None], seed=0)
    with pytest.raises(ValueError, match='seed must be at least 0, got -1'):
        simulate_scribbles(labels, seed=-1)
    with pytest.raises(ValueError, match=r'length .* \(0.8, 0.4\)'):
        simulate_scribbles(labels, seed=0, length=(0.8, 0.4))
    with pytest.raises(ValueError, match=r'thickness .* got 0'):
        simulate_scribbles(labels, seed=0, thickness=0)
    with pytest.raises(ValueError, match=r'drop must lie .* got 1.5'):
        simulate_scribbles(labels, seed=0, drop=1.5)
    with pytest.raises(ValueError, match=r'noise must lie .* got -0.1'):
        simulate_scribbles(labels, seed=0, noise=-0.1)
