"""Simulated strokes: where they lie, how much they cover, repeatable."""

import cv2
import numpy as np
import pytest
from scipy import ndimage

from mmseg_sparse.datasets.simulate import simulate_scribbles
from mmseg_sparse.datasets.simulate.paths import longest_path
from mmseg_sparse.datasets.simulate.thinning import thin

EVERY = dict(min_area=1, small_area=0)


def blobs(seed: int = 0, size: tuple[int, int] = (90, 140)) -> np.ndarray:
    """A mask of five classes in random smooth regions, with some void."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((5, *size))
    noise = ndimage.gaussian_filter(noise, (0, 6, 6))
    labels = noise.argmax(0).astype(np.uint8)
    labels[:7, :9] = 255
    return labels


def regions(labels: np.ndarray) -> list[np.ndarray]:
    """The 8-connected regions of each class."""
    found = []
    for value in range(5):
        index, count = ndimage.label(labels == value, np.ones((3, 3)))
        found += [index == number for number in range(1, count + 1)]
    return found


@pytest.mark.parametrize('thickness', [1, 2, 3, 7])
def test_strokes_stay_in_their_region(thickness: int) -> None:
    for seed in range(5):
        labels = blobs(seed)
        before = labels.copy()
        strokes = simulate_scribbles(
            labels, seed=seed, thickness=thickness, jitter=1.0, **EVERY
        )
        known = strokes != 255
        assert np.array_equal(strokes[known], labels[known])
        assert np.array_equal(labels, before)
        for region in regions(labels):
            assert known[region].any()


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


def test_thinning_keeps_every_region_connected() -> None:
    for seed in range(3):
        region = blobs(seed) == 2
        skeleton = thin(region.astype(np.uint8))
        assert not (skeleton & ~region).any()
        eight = np.ones((3, 3))
        index, count = ndimage.label(region, eight)
        assert ndimage.label(skeleton, eight)[1] == count
        assert set(index[skeleton]) == set(range(1, count + 1))
        # One pixel wide: no 2x2 square is left.
        square = ndimage.minimum_filter(
            skeleton.astype(np.uint8), footprint=np.ones((2, 2))
        )
        assert square[1:, 1:].sum() == 0


@pytest.mark.parametrize('shape', [(1, 1), (2, 2), (1, 9), (9, 2)])
def test_tiny_regions_have_a_path(shape: tuple[int, int]) -> None:
    path = longest_path(np.ones(shape, bool))
    assert len(path) >= 1
    assert (path >= 0).all()
    assert (path <= np.array(shape) - 1).all()
    labels = np.zeros(shape, np.uint8)
    assert (simulate_scribbles(labels, seed=0, **EVERY) == 0).any()


def test_path_follows_the_longer_arm() -> None:
    region = np.zeros((50, 300), np.uint8)
    cv2.line(region, (10, 25), (290, 25), 1, 7)
    cv2.line(region, (150, 25), (150, 45), 1, 7)  # a side arm
    path = longest_path(region > 0)
    assert np.ptp(path[:, 1]) > 260
    assert path[:, 0].max() < 35


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
    with pytest.raises(ValueError, match='no pixel'):
        longest_path(np.zeros((3, 3), bool))
