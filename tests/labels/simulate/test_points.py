"""Simulated clicks: how many, where, and of which class; tags of images."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from mmseg_sparse.labels.simulate import simulate_points, simulate_tags

from ...helpers.masks import blobs, components, masks

SETTINGS = settings(max_examples=60, deadline=None, derandomize=True)


@given(
    labels=masks(),
    seed=st.integers(0, 99),
    per_region=st.integers(1, 4),
    placement=st.sampled_from(['central', 'uniform']),
)
@SETTINGS
def test_each_region_has_its_points(
    labels: np.ndarray, seed: int, per_region: int, placement: str
) -> None:
    before = labels.copy()
    points = simulate_points(
        labels,
        seed=seed,
        per_region=per_region,
        placement=placement,
        min_area=1,
    )
    assert np.array_equal(labels, before)
    known = points != 255
    assert np.array_equal(points[known], labels[known])
    for _, inside in components(labels):
        assert (known & inside).sum() == min(per_region, inside.sum())


def distances(inside: np.ndarray) -> np.ndarray:
    return ndimage.distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1]


def test_central_points_are_deep_and_uniform_ones_anywhere() -> None:
    labels = np.full((60, 100), 255, np.uint8)
    labels[5:46, 10:91] = 3  # 41x81: the greatest depth is 21
    depth = distances(labels == 3)
    rank = {'central': [], 'uniform': []}
    for placement, found in rank.items():
        for seed in range(300):
            points = simulate_points(labels, seed=seed, placement=placement)
            found.append(depth[points == 3].item())
    central, uniform = map(np.array, rank.values())
    assert central.min() >= 0.75 * 21  # 0.8, less the rounding of depth
    assert len(np.unique(central)) > 2
    inside = depth[labels == 3]
    quantiles = [0.1, 0.25, 0.5, 0.75, 0.9]
    assert np.quantile(uniform, quantiles) == pytest.approx(
        np.quantile(inside, quantiles), abs=2
    )


def test_without_spread_the_point_is_the_middle() -> None:
    labels = np.zeros((31, 31), np.uint8)
    labels[15, 15] = 1  # a ring remains: its middle is no pixel of it
    points = simulate_points(labels, seed=0, spread=0.0)
    (y,), (x,) = np.nonzero(points == 0)
    depth = distances(labels == 0)
    assert depth[y, x] > 0.9 * depth.max()
    square = simulate_points(np.zeros((31, 31), np.uint8), seed=5, spread=0.0)
    assert np.argwhere(square == 0).tolist() == [[15, 15]]


def test_central_points_keep_away_from_each_other() -> None:
    labels = np.zeros((20, 100), np.uint8)
    for seed in range(20):
        points = simulate_points(labels, seed=seed, per_region=3)
        columns = np.sort(np.nonzero(points == 0)[1])
        assert np.diff(columns).min() >= 8  # 0.8 of the depth, 10
        assert 4 <= np.nonzero(points == 0)[0].min()


def test_uniform_points_differ_and_reach_every_pixel() -> None:
    labels = np.full((4, 9), 255, np.uint8)
    labels[1, 2:7] = 2
    counts = np.zeros(5)
    for seed in range(400):
        points = simulate_points(
            labels, seed=seed, per_region=2, placement='uniform', min_area=1
        )
        assert (points == 2).sum() == 2
        counts += points[1, 2:7] == 2
    # Each with probability 2/5: 160, standard deviation 9.8.
    assert np.abs(counts - 160).max() < 40


def test_points_are_a_function_of_seed_and_image() -> None:
    labels = blobs()
    for placement in ('central', 'uniform'):

        def draw(seed: int, name: str, kind: str = placement) -> bytes:
            return simulate_points(
                labels, seed=seed, image_id=name, placement=kind
            ).tobytes()

        first = draw(0, 'a')
        assert draw(1, 'a') != first != draw(0, 'b')
        assert draw(0, 'a') == first


def test_drop_area_and_noise() -> None:
    labels = np.full((40, 2000), 255, np.uint8)
    for number in range(200):
        left = 10 * number
        labels[2:7, left : left + 4] = 1  # 20 pixels
        labels[20:26, left : left + 5] = 4
    points = simulate_points(labels, seed=0, drop=0.3, min_area=21)
    assert not (points == 1).any()
    assert abs((points == 4).sum() - 140) < 5 * (200 * 0.21) ** 0.5
    points = simulate_points(labels, seed=0, noise=0.25, min_area=20)
    assert (points != 255).sum() == 400
    wrong = (points != labels) & (points != 255)
    assert abs(wrong.sum() - 100) < 5 * (400 * 0.1875) ** 0.5
    assert set(points[wrong]) == {1, 4}


def test_bad_arguments_are_named() -> None:
    labels = blobs()
    for message, options in (
        ("placement .* got 'middle'", dict(placement='middle')),
        ('per_region must be at least 1, got 0', dict(per_region=0)),
        ('spread must lie .* got 2', dict(spread=2)),
        ('drop must lie .* got nan', dict(drop=float('nan'))),
        ('noise must lie .* got -1', dict(noise=-1)),
        ('seed must be at least 0, got -1', dict(seed=-1)),
    ):
        with pytest.raises(ValueError, match=message):
            simulate_points(labels, **{'seed': 0, **options})


def test_tags_are_the_classes_shown() -> None:
    labels = np.array([[0, 0, 0, 3], [0, 3, 255, 1]], np.uint8)
    tags = simulate_tags(labels, num_classes=5, background=0)
    assert tags.dtype == np.float32
    assert tags.tolist() == [1, 0, 1, 0]  # classes 1 to 4
    every = simulate_tags(labels, num_classes=5)
    assert every.tolist() == [1, 1, 0, 1, 0]
    other = simulate_tags(labels, num_classes=5, background=3)
    assert other.tolist() == [1, 1, 0, 0]  # classes 0, 1, 2, 4
    # 1 has 1/8 of the pixels, 3 has 2/8.
    assert simulate_tags(labels, num_classes=5, min_share=0.125)[1] == 1
    large = simulate_tags(labels, num_classes=5, min_share=0.2)
    assert large.tolist() == [1, 0, 0, 1, 0]
    void = np.full((2, 2), 255, np.uint8)
    assert simulate_tags(void, num_classes=3).tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match=r'\[0, 3\) or be 255, got 3'):
        simulate_tags(labels, num_classes=3)
    with pytest.raises(ValueError, match=r'background .* got 5'):
        simulate_tags(labels, num_classes=5, background=5)
    with pytest.raises(ValueError, match=r'num_classes .* got 0'):
        simulate_tags(labels, num_classes=0)
    with pytest.raises(ValueError, match=r'min_share .* got 1.5'):
        simulate_tags(labels, num_classes=5, min_share=1.5)
