"""SparseResize and SparseRandomResize beside the stock transforms."""

from typing import Any

import numpy as np
import pytest
from mmseg.registry import TRANSFORMS

from mmseg_sparse.datasets import resize_labels
from tests.helpers.beside_stock import SIZE, assert_same, run, sample

CASES = [
    ('Resize', dict(scale=(61, 47))),
    ('Resize', dict(scale=(61, 47), keep_ratio=True, backend='pillow')),
    ('Resize', dict(scale_factor=0.5, interpolation='area')),
    ('RandomResize', dict(scale=(120, 90), ratio_range=(0.4, 2.0))),
    ('RandomResize', dict(scale=(100, 90), ratio_range=(0.4, 2.0),
                          keep_ratio=True)),
    ('RandomResize', dict(scale=[(60, 40), (200, 150)])),
]  # fmt: skip


@pytest.mark.parametrize(('name', 'options'), CASES)
@pytest.mark.parametrize('kind', ['dense', 'void', 'points'])
def test_image_and_random_numbers_are_the_stock_ones(
    name: str, options: dict[str, Any], kind: str
) -> None:
    for seed in range(5):
        wanted = run(dict(type=name, **options), kind, seed)
        ours = name.replace('Resize', 'SparseResize')
        ours = ours.replace('RandomSparse', 'SparseRandom')
        found = run(dict(type=ours, **options), kind, seed)
        if kind == 'points':
            stock = wanted.pop('gt_seg_map')
            labels = found.pop('gt_seg_map')
            kept = stock != 255
            assert (labels[kept] == stock[kept]).all()
            np.testing.assert_array_equal(
                labels,
                resize_labels(
                    sample(kind, seed)['gt_seg_map'],
                    stock.shape[::-1],
                    backend=options.get('backend', 'cv2'),
                ),
            )
        assert_same(found, wanted)


def test_half_size_loses_points_stock_and_none_here() -> None:
    def kept(name: str) -> int:
        results = run(dict(type=name, scale_factor=0.5), 'points', 0)
        return np.count_nonzero(results['gt_seg_map'] != 255)

    points = np.count_nonzero(sample('points')['gt_seg_map'] != 255)
    assert points > 80
    assert kept('Resize') < 0.4 * points
    assert kept('SparseResize') > 0.9 * points  # some lie side by side


def test_every_field_of_labels_is_kept_and_depth_is_left() -> None:
    results = sample('points')
    other = results['gt_seg_map'].astype(np.int32) % 7 + 300
    other[results['gt_seg_map'] == 255] = 255
    depth = np.random.default_rng(0).random(SIZE).astype(np.float32)
    results.update(other=other, gt_depth_map=depth, none=None)
    results['seg_fields'] += ['other', 'gt_depth_map', 'none']
    found = TRANSFORMS.build(dict(type='SparseResize', scale=(60, 45)))(
        results
    )
    np.testing.assert_array_equal(
        found['other'] != 255, found['gt_seg_map'] != 255
    )
    np.testing.assert_array_equal(found['gt_depth_map'], depth[::2, ::2])


def test_options_reach_the_rule() -> None:
    for kind, extra in (
        ('SparseResize', dict(scale=(60, 45))),
        ('SparseRandomResize', dict(scale=(60, 45), ratio_range=(1, 1))),
    ):
        results = sample('points')
        results['gt_seg_map'][results['gt_seg_map'] == 255] = 9
        config = dict(type=kind, ignore_index=9, dense_from=0.2, **extra)
        found = TRANSFORMS.build(config)(results)['gt_seg_map']
        assert (found != 9).sum() > 80
        # 1 % are labelled: dense, if that is what one calls dense.
        config['dense_from'] = 0.005
        results = sample('points')
        results['gt_seg_map'][results['gt_seg_map'] == 255] = 9
        found = TRANSFORMS.build(config)(results)['gt_seg_map']
        assert (found != 9).sum() < 40
        assert 'dense_from' in repr(TRANSFORMS.build(config))


def test_before_labels_are_loaded_as_in_testing() -> None:
    results = dict(img=np.zeros((*SIZE, 3), np.uint8))
    transform = TRANSFORMS.build(dict(type='SparseResize', scale=(60, 45)))
    assert transform(results)['img'].shape == (45, 60, 3)


def test_errors_name_the_argument_and_the_file() -> None:
    for share in (0, 1.5):
        with pytest.raises(ValueError, match=rf'dense_from .* got {share}'):
            TRANSFORMS.build(
                dict(type='SparseResize', scale=(4, 4), dense_from=share)
            )
    results = sample('dense')
    results['gt_seg_map'] = np.zeros((*SIZE, 3), np.uint8)
    results['seg_map_path'] = 'a/b.png'
    transform = TRANSFORMS.build(dict(type='SparseResize', scale=(60, 45)))
    with pytest.raises(ValueError, match=r'gt_seg_map of a/b.png: .*, 3\)'):
        transform(results)
