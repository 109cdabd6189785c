"""AFA from tags: through its phases, after a resume too, and tested."""

import json
import math
from pathlib import Path

import pytest

import mmseg_sparse  # noqa: F401
from mmseg_sparse.datasets.benchmarks import ToyShapesDataset
from mmseg_sparse.labels.simulate.toy import make_toy_dataset
from tests.helpers import tiny

SEGMENTATION, PROPAGATION = 3, 5
CLASSES = ToyShapesDataset.METAINFO['classes']


def transforms(train: bool) -> list[dict]:
    """Tags come from the masks; in training no pixel of them is left."""
    steps = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]
    if train:
        steps += [
            dict(type='SimulateTags', num_classes=len(CLASSES), background=0),
            dict(type='RandomCrop', crop_size=(48, 48)),
            dict(type='RandomFlip', prob=0.5),
        ]
    pack = dict(type='PackSparseInputs')
    if not train:
        pack.update(num_classes=len(CLASSES), background=0)
    return [*steps, pack]


def loader(root: Path, split: str, **kwargs: object) -> dict:
    return dict(
        num_workers=0,
        dataset=dict(
            type='ToyShapesDataset',
            data_root=str(root),
            data_prefix=dict(
                img_path=f'images/{split}', seg_map_path=f'masks/{split}'
            ),
            pipeline=transforms(split == 'train'),
        ),
        **kwargs,
    )


def config(root: Path) -> dict:
    cfg = tiny.config(root)
    model = cfg['model']
    model.pop('regularizers')
    model.update(
        type='AFASegmentor',
        segmentation_begin=SEGMENTATION,
        propagation_begin=PROPAGATION,
        radius=1,  # of 6 tokens a side
        test_cfg=dict(mode='whole', pseudo_labels=True),
    )
    model['backbone']['strides'] = (4, 2, 2, 1)
    model['decode_head'] = dict(
        type='AFAHead',
        in_channels=[8, 8, 16, 16],
        in_index=[0, 1, 2, 3],
        channels=8,
        dropout_ratio=0.1,
        num_classes=len(CLASSES),
        norm_cfg=dict(type='BN'),
        attention_heads=2,
    )
    cfg.update(
        train_dataloader=loader(
            root, 'train', batch_size=2,
            sampler=dict(type='InfiniteSampler', shuffle=True),
        ),
        val_dataloader=loader(
            root, 'val', batch_size=1,
            sampler=dict(type='DefaultSampler', shuffle=False),
        ),
        val_evaluator=[
            dict(type='IoUMetric'), dict(type='PseudoLabelMetric')
        ],
        log_processor=dict(by_epoch=False, window_size=1),
    )  # fmt: skip
    cfg['default_hooks']['checkpoint'].update(interval=1, max_keep_ckpts=-1)
    cfg['default_hooks']['logger']['interval'] = 1
    return cfg


def loop(count: int) -> dict:
    return dict(type='IterBasedTrainLoop', max_iters=count, val_interval=8)


def scalars(run: Path) -> list[dict]:
    return [
        json.loads(line)
        for path in sorted(run.rglob('scalars.json'))
        for line in path.read_text().splitlines()
    ]


def learns(run: Path) -> dict[int, bool]:
    """Return by iteration, from 1, whether segmentation has labels."""
    found = {}
    for entry in scalars(run):
        if 'loss' in entry:
            found[entry['iter']] = entry['pseudo_labeled_share'] > 0
            values = [v for k, v in entry.items() if 'loss' in k]
            assert len(values) == 4
            assert all(math.isfinite(value) for value in values)
    return found


@pytest.fixture(scope='module')
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('toy') / 'data'
    make_toy_dataset(root, num_train=7, num_val=2)
    return root


@pytest.fixture(scope='module')
def whole(toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training in one go."""
    run = tmp_path_factory.mktemp('whole')
    return tiny.train(config(toy), run, train_cfg=loop(8))


def test_trains_through_its_phases_and_is_measured(whole: Path) -> None:
    assert learns(whole) == {i: i > SEGMENTATION for i in range(1, 9)}
    (measured,) = [e for e in scalars(whole) if 'pseudo/cam_mIoU' in e]
    stages = ('cam', 'refined', 'propagated', 'final', 'labels', 'prediction')
    for stage in stages:
        assert 0 <= measured[f'pseudo/{stage}_mIoU'] <= 100
    assert measured['pseudo/prediction_mIoU'] == pytest.approx(
        measured['mIoU'], abs=0.01
    )
    assert 0 < measured['pseudo/labels_share'] <= 100


@pytest.mark.parametrize('stop', [2, 3, 5])
def test_resumes_in_its_phase(
    toy: Path, whole: Path, tmp_path: Path, stop: int
) -> None:
    """Stopped before both switches, at the first, and at the second."""
    tiny.train(config(toy), tmp_path, train_cfg=loop(stop))
    tiny.train(config(toy), tmp_path, train_cfg=loop(8), resume=True)
    assert learns(tmp_path) == learns(whole)
    assert not tiny.differences(
        tiny.state(whole / 'iter_8.pth'), tiny.state(tmp_path / 'iter_8.pth')
    )
