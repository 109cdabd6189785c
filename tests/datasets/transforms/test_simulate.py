"""Simulations as transforms: their place, their determinism, what is left."""

import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from mmcv.transforms import Compose
from mmseg.registry import DATASETS, TRANSFORMS
from torch.utils.data import DataLoader

from mmseg_sparse.labels import simulate

from ...helpers.masks import blobs

SIMULATIONS = {
    'SimulateScribbles': dict(seed=3, thickness=2, noise=0.1),
    'SimulatePoints': dict(seed=3, placement='uniform'),
    'SimulateBlocks': dict(seed=3, share=0.2),
    'SimulateTags': dict(num_classes=11, background=None),
    'ShrinkScribbles': dict(seed=3, ratio=0.3),
    'DropScribbles': dict(seed=3, ratio=0.5),
}


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four images with dense masks."""
    root = tmp_path_factory.mktemp('data')
    for number in range(4):
        labels = blobs(number)
        image = np.repeat(40 * labels[..., None], 3, 2)
        for kind, picture in (('images', image), ('masks', labels)):
            (root / kind).mkdir(exist_ok=True)
            assert cv2.imwrite(str(root / kind / f'{number}.png'), picture)
    return root


def dataset(root: Path, kind: str, *after: dict[str, Any]) -> Any:
    return DATASETS.build(
        dict(
            type='CamVidDataset',
            img_suffix='.png',
            data_root=str(root),
            data_prefix=dict(img_path='images', seg_map_path='masks'),
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='LoadAnnotations'),
                dict(type=kind, **SIMULATIONS[kind]),
                *after,
            ],
        )
    )


def first(samples: list[Any]) -> Any:
    return samples[0]


@pytest.mark.parametrize('kind', SIMULATIONS)
def test_labels_are_those_of_the_function(kind: str, folder: Path) -> None:
    options = dict(SIMULATIONS[kind])
    for number, sample in enumerate(dataset(folder, kind)):
        labels, dense = sample['gt_seg_map'], blobs(number)
        assert labels.dtype == np.uint8
        if kind == 'SimulateTags':
            assert (labels == 255).all()
            expected = simulate.simulate_tags(dense, **options)
            assert sample['gt_label'].dtype == np.float32
            assert np.array_equal(sample['gt_label'], expected)
            continue
        name = ''.join(f'_{c.lower()}' if c.isupper() else c for c in kind)
        expected = getattr(simulate, name[1:])(
            dense, image_id=str(number), **options
        )
        assert np.array_equal(labels, expected)
        assert (labels == 255).sum() > (dense == 255).sum()


@pytest.mark.parametrize('kind', ['SimulateScribbles', 'SimulatePoints'])
def test_workers_epochs_order_and_place_change_nothing(
    kind: str, folder: Path, tmp_path: Path
) -> None:
    moved = tmp_path / 'elsewhere'
    shutil.copytree(folder, moved)
    here, there = dataset(folder, kind), dataset(moved, kind)

    def epoch(data: Any, workers: int, shuffle: bool) -> dict[str, bytes]:
        loader = DataLoader(
            data, shuffle=shuffle, num_workers=workers, collate_fn=first
        )
        return {
            Path(sample['img_path']).name: sample['gt_seg_map'].tobytes()
            for sample in loader
        }

    expected = epoch(here, 0, False)
    assert len(set(expected.values())) == 4
    assert epoch(here, 0, True) == expected  # a second epoch, other order
    assert epoch(here, 2, True) == expected
    assert epoch(there, 2, False) == expected


@pytest.mark.parametrize('kind', SIMULATIONS)
def test_no_dense_label_is_packed(kind: str, folder: Path) -> None:
    packed = dataset(folder, kind, dict(type='PackSegInputs'))[0]
    sample = packed['data_samples']
    assert sample.keys() == ['gt_sem_seg']
    (labels,) = sample.gt_sem_seg.values()
    loaded = dataset(folder, kind)[0]['gt_seg_map']
    assert np.array_equal(labels[0].numpy(), loaded)


def test_one_line_makes_a_stock_config_sparse(data_root: Path) -> None:
    from mmengine.config import Config

    import mmseg_sparse

    cfg = Config.fromfile(
        mmseg_sparse.config('_base_/datasets/camvid_dense.py')
    )
    data = cfg.train_dataloader.dataset
    data.data_root = str(data_root / 'camvid')
    data.pipeline.insert(2, dict(type='SimulateScribbles'))
    sample = DATASETS.build(data)[0]['data_samples']
    labels = sample.gt_sem_seg.data.numpy()
    assert labels.shape == (1, 256, 256)
    assert 0 < (labels != 255).mean() < 0.15


def build(**options: Any) -> Any:
    return TRANSFORMS.build(dict(type='SimulateScribbles', **options))


def sample(**entries: Any) -> dict[str, Any]:
    return {
        'img_path': 'a/b.jpg',
        'seg_map_path': 'c/b.png',
        'gt_seg_map': blobs(),
        'seg_fields': ['gt_seg_map'],
        'ori_shape': (90, 140),
        **entries,
    }


def test_a_wrong_place_is_named() -> None:
    draw = build()
    assert (draw(sample())['gt_seg_map'] != 255).any()
    with pytest.raises(ValueError, match='put it after LoadAnnotations'):
        draw({'img_path': 'a.jpg'})
    with pytest.raises(ValueError, match='put it before PackSegInputs'):
        draw({'inputs': 0, 'data_samples': 0})
    with pytest.raises(ValueError, match=r'no img_path \(entries: gt_seg'):
        draw({k: v for k, v in sample().items() if 'img' not in k})
    resize = dict(type='Resize', scale=(280, 180))
    flip = dict(type='RandomFlip', prob=0.0)
    crop = dict(type='RandomCrop', crop_size=(64, 64))
    for before, sign in (
        (resize, "'scale_factor' is set"),
        (flip, "'flip' is set"),
        (crop, r'labels are \(64, 64\), the image was \(90, 140\)'),
    ):
        pipeline = Compose([TRANSFORMS.build(before), draw])
        image = np.zeros((90, 140, 3), np.uint8)
        with pytest.raises(ValueError, match=f'{sign}.*right after Load'):
            pipeline(sample(img=image, img_shape=(90, 140)))


def test_other_dense_labels_are_refused() -> None:
    depth = sample(gt_depth_map=np.zeros((90, 140), np.float32))
    depth['seg_fields'].append('gt_depth_map')
    edge = sample(gt_edge_map=np.zeros((1, 90, 140), np.uint8))
    for entries, name in ((depth, 'gt_depth_map'), (edge, 'gt_edge_map')):
        with pytest.raises(ValueError, match=f'dense {name}: load or'):
            build()(entries)


def test_errors_name_the_file_and_the_argument() -> None:
    with pytest.raises(ValueError, match=r'c/b.png: labels .* int64'):
        build()(sample(gt_seg_map=blobs().astype(np.int64)))
    tags = TRANSFORMS.build(dict(type='SimulateTags', num_classes=4))
    with pytest.raises(ValueError, match=r'SimulateTags: c/b.png: .* got 4'):
        tags(sample())
    # When the pipeline is built, not an hour later.
    with pytest.raises(ValueError, match='thickness'):
        build(thickness=0)
    with pytest.raises(TypeError, match='width'):
        build(width=3)
    with pytest.raises(TypeError, match='ratio'):
        TRANSFORMS.build(dict(type='ShrinkScribbles'))
    with pytest.raises(ValueError, match='background'):
        TRANSFORMS.build(
            dict(type='SimulateTags', num_classes=4, background=4)
        )
    assert repr(build(seed=7)).startswith('SimulateScribbles(')
