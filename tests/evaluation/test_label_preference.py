"""Weighted distributions, precision by distance, and maps of BLP."""

import numpy as np
import pytest

from mmseg_sparse.doctor import relative_distance
from mmseg_sparse.evaluation import (
    PrecisionByDistance,
    WeightedDistribution,
    blp_maps,
    distance_bins,
)
from mmseg_sparse.labels.boundary_distance import BINS, distribution
from tests.reference import label_preference as reference


def masks(rng):
    """Two masks of different, odd sizes, with void and 1x1 regions."""
    first = rng.integers(0, 4, (3, 4)).repeat(3, 0).repeat(4, 1)
    first[first == 3] = 255
    first[4, 7] = 2
    second = np.zeros((7, 13), int)
    second[2:6, 3:9] = 1
    second[0, 12] = 255
    return [first.astype(np.uint8), second.astype(np.uint8)]


def softmax(rng, classes, size):
    prob = np.exp(rng.normal(scale=2, size=(classes, *size)))
    return (prob / prob.sum(0)).astype(np.float32)


def test_distribution_is_eq_13_over_all_images():
    rng = np.random.default_rng(4)
    images = [(m, rng.random(m.shape).astype('f4') ** 3) for m in masks(rng)]
    counted = WeightedDistribution()
    for dense, weight in images:
        counted.add(relative_distance(dense), weight)
    shares, mean = reference.distribution(images)
    np.testing.assert_allclose(counted.shares(), shares, rtol=1e-6)
    assert counted.mean() == pytest.approx(mean, rel=1e-6)
    assert counted.shares().sum() == pytest.approx(1)
    assert np.ptp(shares) > 0.05


def test_distribution_by_hand():
    counted = WeightedDistribution()
    # 0.04 and 0.05 are in (0, 0.05], 0.35 in (0.3, 0.35]; 0 does not count.
    counted.add(
        np.array([[0.04, 0.05, 0], [0.35, 1, 0]], 'f4'),
        np.array([[0.5, 0.25, 9], [1, 0.25, 9]], 'f4'),
    )
    counted.add(np.array([[0.36]], 'f4'), np.array([[2.0]]))
    expected = np.zeros(BINS)
    expected[[0, 6, 7, 19]] = [0.75 / 4, 1 / 4, 2 / 4, 0.25 / 4]
    np.testing.assert_allclose(counted.shares(), expected)
    # 0.5 * 0.04 + 0.25 * 0.05 + 0.35 + 0.25 + 2 * 0.36 = 1.3525
    assert counted.mean() == pytest.approx(1.3525 / 4)


def test_weights_of_one_count_as_the_doctor_does():
    distance = relative_distance(masks(np.random.default_rng(0))[0])
    counted = WeightedDistribution()
    counted.add(distance, distance > 0)
    np.testing.assert_array_equal(counted.sums, distribution(distance))
    some = np.array([0.05, 0.0501, 0.35, 0.95, 0.951, 1], 'f4')
    assert distance_bins(some).tolist() == [0, 1, 6, 18, 19, 19]


def test_a_scale_of_all_weights_changes_nothing():
    rng = np.random.default_rng(1)
    distance = relative_distance(masks(rng)[1])
    weight = rng.random(distance.shape)
    one, other = WeightedDistribution(), WeightedDistribution()
    one.add(distance, weight)
    other.add(distance, 7 * weight)
    np.testing.assert_allclose(one.shares(), other.shares(), rtol=1e-12)
    assert one.mean() == pytest.approx(other.mean())


def test_half_precision_weights_are_summed_in_double():
    # 70000 is beyond float16.
    distance = np.full((700, 100), 0.5, 'f4')
    counted = WeightedDistribution()
    counted.add(distance, np.ones(distance.shape, 'f2'))
    assert counted.total == 70000


def test_precision_is_counted_pixel_by_pixel():
    rng = np.random.default_rng(5)
    images = [
        (m, np.where(rng.random(m.shape) < 0.6, m % 255, 1).astype('u1'))
        for m in masks(rng)
    ]
    counted = PrecisionByDistance()
    for dense, predicted in images:
        before = dense.copy(), predicted.copy()
        counted.add(relative_distance(dense), predicted, dense)
        np.testing.assert_array_equal(dense, before[0])
        np.testing.assert_array_equal(predicted, before[1])
    right, pixels = reference.precision(images)
    assert counted.correct.tolist() == right
    assert counted.pixels.tolist() == pixels
    assert counted.overall() == sum(right) / sum(pixels)
    for value, r, n in zip(counted.values(), right, pixels, strict=True):
        assert (value == r / n) if n else np.isnan(value)
    assert 0 in pixels


def test_void_is_never_right():
    dense = np.array([[0, 0, 255, 1]], np.uint8)
    counted = PrecisionByDistance()
    counted.add(relative_distance(dense), dense, dense)
    assert counted.pixels.sum() == 3


def test_maps_are_eq_9_and_11():
    rng = np.random.default_rng(6)
    size = (5, 7)
    annotation, segmentation = softmax(rng, 4, size), softmax(rng, 3, size)
    target = rng.integers(0, 3, size).astype(np.uint8)
    for gamma in (0, 0.5, 2, 3.7):
        expected = reference.blp(annotation, segmentation, target, gamma)
        got = blp_maps(annotation, segmentation, target, gamma=gamma)
        np.testing.assert_allclose(got[0], expected[0], rtol=1e-10)
        np.testing.assert_allclose(got[1], expected[1], rtol=1e-10)
    short = blp_maps(annotation[:3], segmentation, target, gamma=3.7)
    np.testing.assert_array_equal(short[0], got[0])


def test_maps_by_hand_and_at_the_ends():
    # Class 1: (1 - 0.5 * 0.8)^2 = 0.36; -0.36 log 0.8 = 0.0803317.
    annotation = np.array([0.1, 0.5, 0.4], 'f4').reshape(3, 1, 1)
    segmentation = np.array([0.2, 0.8], 'f4').reshape(2, 1, 1)
    one = np.ones((1, 1), np.uint8)
    delta, loss = blp_maps(annotation, segmentation, one, gamma=2)
    assert delta.item() == pytest.approx(0.36)
    assert loss.item() == pytest.approx(0.0803317, rel=1e-5)
    certain = np.array([0.0, 1.0], 'f4').reshape(2, 1, 1)
    delta, loss = blp_maps(certain, certain, one, gamma=2)
    assert (delta.item(), loss.item()) == (0, 0)
    delta, loss = blp_maps(certain, certain, 0 * one, gamma=2)
    assert delta.item() == 1
    assert loss.item() == pytest.approx(-np.log(np.finfo('f4').tiny))


@pytest.mark.parametrize('bad', [np.nan, np.inf, -0.25])
def test_a_weight_that_is_none_is_refused(bad):
    counted = WeightedDistribution()
    distance = np.array([[0, 0.5]], 'f4')
    counted.add(distance, np.array([[bad, 1.0]]))  # does not count
    with pytest.raises(ValueError, match=f'finite and at least 0, got {bad}'):
        counted.add(distance, np.array([[1.0, bad]]))
    assert counted.total == 1


def test_what_does_not_fit_is_named():
    distance, other = np.zeros((2, 3), 'f4'), np.zeros((3, 2), np.uint8)
    with pytest.raises(ValueError, match=r'weight .*\(2, 3\) and \(3, 2\)'):
        WeightedDistribution().add(distance, other)
    with pytest.raises(ValueError, match='distance and predicted must'):
        PrecisionByDistance().add(distance, other, distance)
    with pytest.raises(ValueError, match='distance and dense must'):
        PrecisionByDistance().add(distance, distance, other)
    empty = WeightedDistribution()
    empty.add(distance, distance)
    for method in (empty.shares, empty.mean, PrecisionByDistance().overall):
        with pytest.raises(ValueError, match='no pixel counts'):
            method()
    prob = np.full((3, 2, 3), 1 / 3, 'f4')
    with pytest.raises(ValueError, match=r'target .*, got .*\(3, 2\)'):
        blp_maps(prob, prob, other, gamma=2)
    with pytest.raises(ValueError, match=r'got \(2, 2, 3\), \(3, 2, 3\)'):
        blp_maps(prob[:2], prob, other.T, gamma=2)
    with pytest.raises(ValueError, match=r'below 3, .* got 255'):
        blp_maps(prob, prob, other.T + np.uint8(255), gamma=2)
    with pytest.raises(ValueError, match='gamma must be at least 0, got -1'):
        blp_maps(prob, prob, other.T, gamma=-1)
