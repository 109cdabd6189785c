"""DCTN on the toy set, in both rounds: train, predict, filter, write, read."""

import copy
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from mmseg.registry import DATASETS, MODELS
from PIL import Image

from mmseg_sparse.labels import (
    heatmap_path,
    make_toy_dataset,
    read_heatmaps,
    write_heatmaps,
)
from tests.helpers import tiny

CLASSES = 7
STAGES = dict(
    low_channels=8,
    embed_dims=(8, 8, 16, 16),
    num_heads=(1, 1, 2, 2),
    depths=(2, 2, 2, 2),
    mlp_ratios=(2, 2, 2, 2),
)
HEAD = dict(
    in_channels=[8, 8, 16, 16],
    low_channels=8,
    num_classes=CLASSES,
    loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
)
HEADS = dict(
    dctn1=dict(type='DCTNHead', **HEAD),
    dctn2=dict(
        type='DCTNFPNHead', fpn_channels=16, channels=16,
        norm_cfg=dict(type='BN'), **HEAD,
    ),
)  # fmt: skip
LOAD = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]
PACK = dict(type='PackHeatmapInputs', num_classes=CLASSES, background=0)


def model_config(head):
    return dict(
        type='HeatmapRefiner',
        data_preprocessor=dict(
            type='SegDataPreProcessor',
            mean=[127.0] * 3,
            std=[64.0] * 3,
            size_divisor=16,
            seg_pad_val=255,
            test_cfg=dict(size_divisor=16),
        ),
        backbone=dict(
            type='DualCrossTransformer', heatmap_channels=CLASSES, **STAGES
        ),
        decode_head=copy.deepcopy(HEADS[head]),
        train_cfg=dict(),
        test_cfg=dict(mode='whole', refiner=dict(type='ClassLabelFilter')),
    )


def train_pipeline(heatmaps):
    moves = [
        dict(type='RandomResize', scale=(64, 64), ratio_range=(0.75, 1.5)),
        dict(type='RandomCrop', crop_size=(48, 48)),
        dict(type='RandomFlip', prob=0.5),
    ]
    return [
        *LOAD,
        dict(type='LoadHeatmaps', root=str(heatmaps)),
        dict(type='MoveHeatmaps', transforms=moves),
        dict(type='PhotoMetricDistortion'),
        PACK,
    ]


def dataset(root, split, pipeline):
    return dict(
        type='ToyShapesDataset',
        data_root=str(root),
        data_prefix=dict(
            img_path=f'images/{split}', seg_map_path=f'masks/{split}'
        ),
        pipeline=pipeline,
    )


@pytest.fixture(scope='module')
def toy(tmp_path_factory) -> Path:
    """The toy set, and heat maps such as CAM's: blurred and noisy masks."""
    root = tmp_path_factory.mktemp('toy') / 'data'
    make_toy_dataset(root, num_train=6, num_val=2)
    rng = np.random.default_rng(0)
    for path in sorted(root.glob('masks/*/*.png')):
        mask = np.asarray(Image.open(path))
        present = np.unique(mask[(mask > 0) & (mask < 255)])
        maps = [
            cv2.GaussianBlur((mask == c).astype(np.float32), (0, 0), 6)
            for c in present
        ]
        maps = np.array(maps).reshape(len(present), *mask.shape)
        maps *= rng.uniform(0.5, 1, maps.shape)
        out = heatmap_path(root / 'cam', path)
        write_heatmaps(out, maps, present, num_classes=CLASSES)
    return root


@pytest.mark.parametrize('head', HEADS)
def test_two_steps_lower_the_loss(toy, head):
    torch.manual_seed(0)
    model = MODELS.build(ConfigDict(model_config(head)))
    model.init_weights()
    pipeline = [*LOAD, dict(type='LoadHeatmaps', root=str(toy / 'cam')), PACK]
    items = DATASETS.build(dataset(toy, 'train', pipeline))
    batch = pseudo_collate([items[i] for i in range(4)])
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    model.train()
    losses = [
        model.train_step(copy.deepcopy(batch), OptimWrapper(optimizer))
        for _ in range(3)
    ]
    found = [float(step['decode.loss_ce']) for step in losses]
    assert found[2] < found[1] < found[0]
    assert found[0] == pytest.approx(np.log(CLASSES), rel=0.5)


def runner_config(toy, head, heatmaps):
    load = dict(type='LoadHeatmaps', root=str(heatmaps))
    cfg = tiny.config(toy)
    cfg['model'] = model_config(head)
    cfg['train_dataloader']['dataset'] = dataset(
        toy, 'train', train_pipeline(heatmaps)
    )
    cfg['val_dataloader']['dataset'] = dataset(
        toy, 'val', [*LOAD, load, PACK]
    )  # fmt: skip
    cfg['train_cfg'] = dict(
        type='IterBasedTrainLoop', max_iters=4, val_interval=4
    )
    return cfg


def predict_filtered(cfg, checkpoint, toy, out):
    """Write what a trained model makes of the heat maps, filtered."""
    model = MODELS.build(Config(cfg).model)
    state = torch.load(checkpoint, weights_only=True)['state_dict']
    model.load_state_dict(state)
    model.eval()
    pipeline = cfg['val_dataloader']['dataset']['pipeline']
    for split in ('train', 'val'):
        for data in DATASETS.build(dataset(toy, split, pipeline)):
            with torch.no_grad():
                (found,) = model.test_step(pseudo_collate([data]))
            tags = found.gt_label
            present = [0, *(tags.nonzero()[:, 0] + 1).tolist()]
            prob = found.seg_logits.data.softmax(0)
            assert prob[present].sum(0).allclose(torch.ones(64, 64))
            write_heatmaps(
                heatmap_path(out, found.img_path),
                prob[present].numpy(),
                present,
                num_classes=CLASSES,
            )


@pytest.mark.slow
def test_both_rounds_run_one_after_the_other(toy, tmp_path):
    first = runner_config(toy, 'dctn1', toy / 'cam')
    # MMEngine reads configs as text, so must these be
    Config(first).dump(tmp_path / 'first.py')
    first = Config.fromfile(tmp_path / 'first.py').to_dict()
    run = tiny.train(first, tmp_path / 'round1')
    refined = tmp_path / 'refined'
    predict_filtered(first, run / 'iter_4.pth', toy, refined)
    names = {path.name for path in refined.iterdir()}
    assert names == {path.name for path in (toy / 'cam').iterdir()}
    for name in names:
        before = read_heatmaps(toy / 'cam' / name)
        after = read_heatmaps(refined / name)
        assert after.classes.tolist() == [0, *before.classes.tolist()]
        assert after.maps.shape[1:] == before.maps.shape[1:]
    second = runner_config(toy, 'dctn2', refined)
    run = tiny.train(second, tmp_path / 'round2')
    assert (run / 'iter_4.pth').is_file()


def test_augmented_testing_runs(toy, tmp_path):
    cfg = runner_config(toy, 'dctn2', toy / 'cam')
    moves = [
        [
            dict(type='MoveHeatmaps', transforms=[transform])
            for transform in transforms
        ]
        for transforms in (
            [dict(type='Resize', scale_factor=s) for s in (1.0, 1.3)],
            [dict(type='RandomFlip', prob=p) for p in (0.0, 1.0)],
        )
    ]
    load = dict(type='LoadHeatmaps', root=str(toy / 'cam'))
    cfg['test_dataloader'] = copy.deepcopy(cfg['val_dataloader'])
    cfg['test_dataloader']['dataset']['pipeline'] = [
        *LOAD, load, dict(type='TestTimeAug', transforms=[*moves, [PACK]])
    ]  # fmt: skip
    cfg['test_evaluator'] = cfg['val_evaluator']
    cfg['test_cfg'] = dict(type='TestLoop')
    cfg['model'] = dict(type='SegTTAModel', module=ConfigDict(cfg['model']))
    for key in ('train', 'val'):
        for part in ('dataloader', 'cfg', 'evaluator'):
            cfg.pop(f'{key}_{part}', None)
    del cfg['optim_wrapper'], cfg['param_scheduler']
    runner = Runner.from_cfg(Config(dict(cfg, work_dir=str(tmp_path))))
    metrics = runner.test()
    assert 0 <= metrics['mIoU'] <= 100
