"""PackSparseInputs: what the stock packing gives, and the image's classes."""

from typing import Any

import numpy as np
import pytest
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmseg.registry import TRANSFORMS

from tests.helpers.beside_stock import sample


def pack(results: dict[str, Any], **options: Any) -> Any:
    transform = TRANSFORMS.build(dict(type='PackSparseInputs', **options))
    return transform(results)


def labelled(*values: int) -> dict[str, Any]:
    """A sample whose map has these labels and is empty else."""
    results = sample('points')
    results['gt_seg_map'][:] = 255
    results['gt_seg_map'].flat[: len(values)] = values
    results['seg_map_path'] = 'a/b.png'
    return results


def test_everything_else_is_as_stock() -> None:
    wanted = TRANSFORMS.build(dict(type='PackSegInputs'))(labelled(1))
    for options in (dict(), dict(num_classes=3, background=0)):
        found = pack(labelled(1), **options)
        assert found.keys() == wanted.keys()
        assert torch.equal(found['inputs'], wanted['inputs'])
        sample_, stock = found['data_samples'], wanted['data_samples']
        assert torch.equal(sample_.gt_sem_seg.data, stock.gt_sem_seg.data)
        assert sample_.metainfo == stock.metainfo
        extra = set(sample_.keys()) - set(stock.keys())
        assert extra == ({'gt_label'} if options else set())


@pytest.mark.parametrize(
    ('values', 'background', 'wanted'),
    [
        ((1, 3, 3), None, [0, 1, 0, 1]),
        ((1, 3, 3), 0, [1, 0, 1]),
        ((0, 3), 0, [0, 0, 1]),
        ((0, 2, 3), 2, [1, 0, 1]),
        ((), None, [0, 0, 0, 0]),
        ((0,), 0, [0, 0, 0]),
    ],
)
def test_the_classes_of_the_labelled_pixels(
    values: tuple[int, ...], background: int | None, wanted: list[int]
) -> None:
    packed = pack(labelled(*values), num_classes=4, background=background)
    label = packed['data_samples'].gt_label
    assert label.dtype == torch.float32
    assert label.tolist() == wanted


def test_more_classes_than_the_id_of_no_label() -> None:
    results = labelled()
    results['gt_seg_map'] = results['gt_seg_map'].astype(np.int64)
    results['gt_seg_map'][0, :2] = 254, 299
    label = pack(results, num_classes=300)['data_samples'].gt_label
    assert torch.nonzero(label).flatten().tolist() == [254, 299]


def test_tags_given_before_stay_those_of_the_image() -> None:
    results = labelled(1)  # a crop that lost class 2
    results['gt_label'] = np.array([1, 1, 0], np.float32)
    packed = pack(results, num_classes=4, background=0)
    label = packed['data_samples'].gt_label
    assert label.tolist() == [1, 1, 0]
    results['gt_label'][0] = 5  # the sample is not the pipeline's array
    assert label.tolist() == [1, 1, 0]
    results['gt_label'] = [True, False]
    assert pack(results)['data_samples'].gt_label.tolist() == [1, 0]


def test_in_testing_and_without_asking_there_is_none() -> None:
    results = labelled(1)
    assert 'gt_label' not in pack(results)['data_samples']
    del results['gt_seg_map']
    packed = pack(results, num_classes=4)
    assert 'gt_label' not in packed['data_samples']
    assert 'gt_sem_seg' not in packed['data_samples']


def test_supervision_is_meta_data() -> None:
    results = labelled(1) | dict(supervision='point', flip=False)
    meta = pack(results)['data_samples'].metainfo
    assert meta == dict(
        supervision='point', flip=False, seg_map_path='a/b.png'
    )
    meta = pack(results, meta_keys=('flip',))['data_samples'].metainfo
    assert meta == dict(flip=False)


def test_batches_move_with_their_labels() -> None:
    samples = [pack(labelled(n), num_classes=4) for n in range(3)]
    batch = pseudo_collate(samples)['data_samples']
    moved = [item.to('meta').gt_label for item in batch]
    assert all(label.device.type == 'meta' for label in moved)
    stacked = torch.stack([item.gt_label for item in batch])
    assert torch.equal(stacked, torch.eye(4)[:3])


def test_a_whole_pipeline_on_points(data_root) -> None:
    camvid = data_root / 'camvid'
    path = sorted((camvid / 'points' / 'train').glob('*.png'))[0]
    pipeline = Compose(
        [
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations'),
            dict(type='SparseRandomResize', scale=(480, 360),
                 ratio_range=(0.5, 2.0), keep_ratio=True),
            dict(type='SparseRandomRotate', prob=0.5, degree=10.0),
            dict(type='SparseRandomCrop', crop_size=(128, 160)),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackSparseInputs', num_classes=11),
        ]
    )  # fmt: skip
    for _ in range(10):
        packed = pipeline(
            dict(
                img_path=str(camvid / 'images/train' / f'{path.stem}.jpg'),
                seg_map_path=str(path),
                reduce_zero_label=False,
                seg_fields=[],
            )
        )
        labels = packed['data_samples'].gt_sem_seg.data
        assert packed['inputs'].shape == (3, 128, 160)
        present = torch.unique(labels[labels != 255]).tolist()
        label = packed['data_samples'].gt_label
        assert torch.nonzero(label).flatten().tolist() == present
        assert present


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(num_classes=0), r'num_classes must be at least 1, got 0'),
        (dict(background=0), r'background=0 needs num_classes'),
        (dict(num_classes=3, background=3), r'one of 3 classes, got 3'),
        (dict(num_classes=3, background=-1), r'one of 3 classes, got -1'),
    ],
)
def test_wrong_arguments_are_named(
    options: dict[str, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        pack(labelled(), **options)


def test_labels_that_do_not_fit_are_named() -> None:
    with pytest.raises(ValueError, match=r'a/b.png: label 4 in the map'):
        pack(labelled(1, 4), num_classes=4)
    results = labelled(1) | dict(gt_label=np.ones(4))
    with pytest.raises(ValueError, match=r'a/b.png: .* 3 fore.*\(4,\)'):
        pack(results, num_classes=4, background=0)
    results['gt_label'] = np.ones((2, 2))
    with pytest.raises(ValueError, match=r'all foreground .*\(2, 2\)'):
        pack(results)
