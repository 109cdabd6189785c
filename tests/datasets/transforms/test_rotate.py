"""SparseRandomRotate beside the stock transform."""

from typing import Any

import mmcv
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmseg.registry import TRANSFORMS

from mmseg_sparse.datasets import rotate_labels
from tests.helpers.beside_stock import assert_same, run, sample

seeds = st.integers(0, 2**32 - 1)
checked = settings(max_examples=50, deadline=None, derandomize=True)


def stock(labels: np.ndarray, angle: float, **options: Any) -> np.ndarray:
    return mmcv.imrotate(
        labels, angle, border_value=255, interpolation='nearest', **options
    )


def turned(
    y: float, x: float, angle: float, shape: tuple[int, int]
) -> tuple[float, float]:
    """Where a pixel's middle goes, clockwise about the middle of the map."""
    turn = np.exp(1j * np.radians(angle))
    middle = complex(shape[1] - 1, shape[0] - 1) / 2
    place = (complex(x, y) - middle) * turn + middle
    return place.imag, place.real


@pytest.mark.parametrize(
    'options',
    [
        dict(prob=0.5, degree=30),
        dict(prob=1.0, degree=(10.0, 90.0), auto_bound=True),
        dict(prob=1.0, degree=20, center=(3.0, 50.0), pad_val=7),
        dict(prob=1.0, degree=5, seg_pad_val=0),
    ],
)
@pytest.mark.parametrize('kind', ['dense', 'void', 'points'])
def test_image_and_random_numbers_are_the_stock_ones(
    options: dict[str, Any], kind: str
) -> None:
    for seed in range(6):
        wanted = run(dict(type='RandomRotate', **options), kind, seed)
        found = run(dict(type='SparseRandomRotate', **options), kind, seed)
        if kind == 'points':
            before = wanted.pop('gt_seg_map')
            labels = found.pop('gt_seg_map')
            kept = before != 255
            assert (labels[kept] == before[kept]).all()
        assert_same(found, wanted)


@checked
@given(seeds, st.floats(-180, 180), st.booleans())
def test_every_point_is_there_at_its_place(
    seed: int, angle: float, auto_bound: bool
) -> None:
    rng = np.random.default_rng(seed)
    labels = np.full((90, 120), 255, np.uint8)
    spots = [(y, x) for y in range(3, 90, 7) for x in range(3, 120, 8)]
    for value, (y, x) in enumerate(spots):
        labels[y + rng.integers(-1, 2), x + rng.integers(-1, 2)] = value
    found = rotate_labels(labels, angle, auto_bound=auto_bound)
    before = stock(labels, angle, auto_bound=auto_bound)
    inside, turn = 0, np.radians(angle)
    for y, x in np.argwhere(labels != 255):
        row, col = turned(y, x, angle, labels.shape)
        if auto_bound:  # the middle of the map stays in the middle
            cos, sin = np.abs([np.cos(turn), np.sin(turn)])
            row += (90 * cos + 120 * sin - 90) / 2
            col += (90 * sin + 120 * cos - 120) / 2
        row, col = round(row), round(col)
        here = found == labels[y, x]
        if 1 <= row < found.shape[0] - 1 and 1 <= col < found.shape[1] - 1:
            assert here[row - 1 : row + 2, col - 1 : col + 2].any()
            assert here[row, col] or labels[y, x] in before
            inside += 1
        # One that is sampled is as sampled, one that is not is one pixel.
        kept = before == labels[y, x]
        assert (here == kept).all() if kept.any() else here.sum() <= 1
    assert inside == len(spots) if auto_bound else inside > 80


def test_stock_rotation_loses_a_sixth_of_the_points() -> None:
    labels = np.full((90, 120), 255, np.uint8)
    labels[1::3, 1::3] = 5
    found = rotate_labels(labels, 45.0, auto_bound=True)
    added = found != stock(labels, 45.0, auto_bound=True)
    assert 0.1 < added.sum() / (labels == 5).sum() < 0.2


@checked
@given(seeds, st.floats(-180, 180))
def test_nothing_two_pixels_wide_is_lost_or_widened(
    seed: int, angle: float
) -> None:
    rng = np.random.default_rng(seed)
    labels = np.full((60, 60), 255, np.uint8)
    for y in range(16, 44, 4):
        x = 16 + rng.integers(0, 20)
        labels[y : y + 2, x : x + 2 + rng.integers(0, 6)] = y
    found = rotate_labels(labels, angle)
    np.testing.assert_array_equal(found, stock(labels, angle))
    assert set(np.unique(found)) == set(np.unique(labels))


def test_no_label_is_overwritten() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, (90, 120), np.uint8)
    labels[rng.random(labels.shape) < 0.7] = 255
    before = stock(labels, 40.0)
    found = rotate_labels(labels, 40.0)
    assert (found[before != 255] == before[before != 255]).all()
    assert (found != before).sum() > 100


def test_other_fields_and_no_rotation() -> None:
    results = sample('points')
    depth = results['img'][..., 0].astype(np.float32)
    results.update(gt_depth_map=depth)
    results['seg_fields'].append('gt_depth_map')
    transform = TRANSFORMS.build(
        dict(type='SparseRandomRotate', prob=1.0, degree=(30.0, 30.0))
    )
    found = transform(results)['gt_depth_map']
    np.testing.assert_array_equal(found, stock(depth, 30.0))
    transform.prob = 0
    before = sample('points')
    assert_same(transform(sample('points')), before)


def test_errors_name_the_argument() -> None:
    with pytest.raises(ValueError, match=r'dense_from .* got 2'):
        TRANSFORMS.build(
            dict(type='SparseRandomRotate', prob=1, degree=3, dense_from=2)
        )
