"""Dense and sparse maps: what is said counts, else what they look like."""

from typing import Any

import numpy as np
import pytest
from mmseg.registry import TRANSFORMS

from mmseg_sparse.datasets import resize_labels, rotate_labels
from mmseg_sparse.datasets.transforms.resize import is_dense
from mmseg_sparse.labels import (
    simulate_blocks,
    simulate_points,
    simulate_scribbles,
)
from tests.helpers.masks import blobs


def mostly_void(seed: int = 0) -> np.ndarray:
    """A dense mask with 30 % of it labelled, the rest void."""
    labels = blobs(seed, (90, 140))
    labels[:, 42:] = 255
    return labels


@pytest.mark.parametrize('seed', range(4))
def test_a_dense_map_may_be_mostly_void(seed: int) -> None:
    labels = mostly_void(seed)
    assert (labels != 255).mean() < 0.32
    assert is_dense(labels)
    assert not is_dense(labels, supervision='block')
    nearest = resize_labels(labels, (70, 45), supervision='dense')
    assert np.array_equal(resize_labels(labels, (70, 45)), nearest)


@pytest.mark.parametrize('share', [0.1, 0.2, 0.45])
def test_blocks_are_sparse(share: float) -> None:
    for seed in range(4):
        blocks = simulate_blocks(blobs(seed), seed=seed, share=share)
        assert not is_dense(blocks)
        assert is_dense(blocks, supervision='dense')


def test_strokes_and_points_are_sparse() -> None:
    for seed in range(4):
        strokes = simulate_scribbles(blobs(seed), seed=0, thickness=5)
        points = simulate_points(blobs(seed), seed=0, per_region=30)
        assert not is_dense(strokes)
        assert not is_dense(points)
    # Clicks of two classes side by side, on 30 % of the map.
    noise = np.random.default_rng(0).random((60, 80))
    clicks = np.where(noise < 0.3, (noise * 1000) % 5, 255).astype(np.uint8)
    assert not is_dense(clicks)


def sample(supervision: str | None) -> dict[str, Any]:
    results = dict(
        img=np.zeros((60, 80, 3), np.uint8),
        gt_seg_map=np.full((60, 80), 255, np.uint8),
        seg_fields=['gt_seg_map'],
        img_shape=(60, 80),
    )
    results['gt_seg_map'][1::2, :] = 1  # no sample of half the size sees it
    results['gt_seg_map'][0, :] = 2
    if supervision is not None:
        results['supervision'] = supervision
    return results


@pytest.mark.parametrize(
    ('supervision', 'kept'),
    [(None, False), ('dense', False), ('block', True), ('scribble', True)],
)
def test_transforms_believe_the_supervision(
    supervision: str | None, kept: bool
) -> None:
    def run(**step: Any) -> np.ndarray:
        np.random.seed(0)  # noqa: NPY002
        return TRANSFORMS.build(step)(sample(supervision))['gt_seg_map']

    resized = run(type='SparseResize', scale_factor=0.5)
    assert (resized == 1).any() == kept
    turned = run(type='SparseRandomRotate', prob=1.0, degree=(30, 30.1))
    stock = run(type='RandomRotate', prob=1.0, degree=(30, 30.1))
    stock[stock == 0] = 255
    assert np.array_equal(turned, stock) != kept
    # A crop is never without a label where labels are sparse.
    half = sample(supervision)
    half['gt_seg_map'][:] = 255
    half['gt_seg_map'][:, 40:] = 1
    crop = TRANSFORMS.build(dict(type='SparseRandomCrop', crop_size=(6, 8)))
    crops = [crop(dict(half))['gt_seg_map'] for _ in range(30)]
    assert all((labels == 1).any() for labels in crops) == kept


def test_functions_take_it_too() -> None:
    labels = mostly_void()
    plain = rotate_labels(labels, 30.0, supervision='dense')
    assert np.array_equal(rotate_labels(labels, 30.0), plain)
