"""Shipped configs train and validate on one CPU process, shrunk."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from mmseg_sparse.engine import launch
from tests.helpers.own_data import write_sidecar
from tests.helpers.shipped import (
    LEAVES,
    datasets,
    of_type,
    parse,
    parts,
    shrink,
)

TRAINED = [
    'ce_mit-b0_segformer_1xb8-2k_camvid-scribble-256x256',
    'ce-weighted_mit-b0_segformer_1xb8-2k_camvid-dense-256x256',
    'ce-sparse-transforms_mit-b0_segformer_1xb8-2k_camvid-point-256x256',
    'sasformer_mit-b0_segformer_1xb8-2k_camvid-point-256x256',
    'ce_mit-b4_segformer_8xb2-40k_voc12-dense-512x512',
    'sasformer_mit-b4_segformer_8xb2-40k_voc12-scribble-512x512',
    'sasformer-eq7_mit-b4_segformer_8xb2-40k_voc12-scribble-512x512',
    'sasformer_vit-b_segmenter_8xb2-40k_voc12-scribble-512x512',
    'sasformer_vit-l_setr-pup_8xb2-40k_voc12-scribble-512x512',
    'dfr_mit-b0_segformer_1xb8-2k_camvid-scribble-256x256',
    'dfr-kernel_mit-b0_segformer_1xb8-2k_camvid-scribble-256x256',
    'dfr_swin-b_upernet_8xb2-40k_pcontext59-scribble-512x512',
    'dfr-block1_swin-b_upernet_8xb2-40k_voc12-scribble-512x512',
    'gated_crf_r50_deeplabv3plus_8xb2-40k_voc12-scribble-512x512',
    'ce_efficientnet-lite0_segformer_1xb8-2k_camvid-scribble-256x256',
    'gated_crf_unet-16_fcn_1xb8-6k_acdc-scribble-192x192',
    'blpseg_mit-b0_upernet_1xb8-2k_camvid-scribble-256x256',
    'blpseg-lam-noself_mit-b0_upernet_1xb8-2k_camvid-scribble-256x256',
    'blpseg-focal_r101_upernet_2xb5-42k_voc12-scribble-384x384',
    'blpseg_r101_upernet_2xb5-20k_pcontext60-scribble-384x384',
    'afa_mit-tiny_segformer_1xb8-4k_toy-tag-64x64',
    'afa_mit-b1_segformer_1xb8-20k_voc12-tag-512x512',
]
#: On a frozen DINOv2, of which some keep attention.
FROZEN = [
    'gated_crf_dinov2-s_segformer_1xb8-1k_camvid-scribble-364x490',
    'sasformer_dinov2-s_segformer_1xb8-1k_camvid-scribble-364x490',
    'dfr_dinov2-s_segformer_1xb8-1k_camvid-scribble-364x490',
    'blpseg_dinov2-s_upernet_1xb8-1k_camvid-scribble-364x490',
    'afa_dinov2-s_segformer_1xb8-2k_camvidtile-tag-168x224',
]
#: Names of the images, as VolumeMetric expects them on ACDC.
NAMES = ('a_slice_0', 'a_slice_1')
#: Losses of the decode head, of which every config has one.
HEAD_LOSSES = ('loss_ce', 'loss_blp', 'loss_focal', 'loss_seg')


def write_image(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def write_split(root: Path, dataset: dict, rng: np.random.Generator) -> None:
    """Write two images and their labels where the dataset reads them."""
    prefix = dataset.data_prefix
    suffix = dataset.get('img_suffix', '.jpg')
    if dataset.type == 'ToyShapesDataset':
        suffix = '.png'
    for name in NAMES:
        image = rng.integers(256, size=(36, 48, 3), dtype=np.uint8)
        classes = len(dataset.get('classes', range(7)))
        labels = rng.integers(classes, size=(36, 48), dtype=np.uint8)
        write_image(root / prefix.img_path / f'{name}{suffix}', image)
        if 'seg_map_path' not in prefix:
            continue
        if not prefix.seg_map_path.startswith(('masks', 'Seg')):
            labels[:, np.arange(48) % 8 > 0] = 255
        write_image(root / prefix.seg_map_path / f'{name}.png', labels)
    tags = dataset.get('tag_file', dataset.get('ann_file', ''))
    if tags.endswith('.json'):
        info = dict(
            supervision='tag', size=(48, 36), tags=[*dataset.classes[2:4]]
        )
        write_sidecar(root / tags, dataset.classes, dict.fromkeys(NAMES, info))
    elif 'tag_file' in dataset:
        hot = np.eye(20)[[2, 9]].sum(0)
        np.save(root / tags, dict.fromkeys(NAMES, hot))
    if dataset.get('ann_file', '').endswith('.txt'):
        split = root / dataset.ann_file
        split.parent.mkdir(parents=True, exist_ok=True)
        split.write_text('\n'.join(NAMES))
    dataset.data_root = str(root)


def small(cfg: Config, root: Path) -> Config:
    """Return the config for an iteration and a validation at 64 pixels."""
    rng = np.random.default_rng(0)
    for key in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = cfg[key]
        loader.update(num_workers=0, persistent_workers=False)
        loader.batch_size = min(loader.batch_size, 2)
        for dataset in datasets(loader):
            write_split(root, dataset, rng)
            for step in of_type(
                dataset.pipeline, 'RandomCrop', 'SparseRandomCrop'
            ):
                step.crop_size = (64, 64)
            for step in of_type(
                dataset.pipeline, 'RandomResize', 'Resize',
                'SparseRandomResize',
            ):  # fmt: skip
                step.scale = (64, 48)
    cfg.train_cfg.update(max_iters=1, val_interval=1)
    if cfg.model.type == 'AFASegmentor':  # everything in one iteration
        cfg.model.update(segmentation_begin=0, propagation_begin=0)
    cfg.default_hooks.checkpoint.interval = 1
    cfg.env_cfg.dist_cfg.backend = 'gloo'
    cfg.work_dir = str(root / 'work')
    return shrink(cfg)


@pytest.mark.parametrize('name', [*TRAINED, *FROZEN])
def test_trains_and_validates(name, tmp_path, monkeypatch):
    if 'efficientnet' in name:
        pytest.importorskip('timm')
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    (leaf,) = (leaf for leaf in LEAVES if leaf.stem == name)
    cfg = small(parse(leaf), tmp_path)
    cfg.experiment_name = f'{name}-{tmp_path.name}'
    last = 1
    if name in FROZEN:  # on two images, so that most maps are kept
        last = cfg.train_cfg.max_iters = cfg.train_cfg.val_interval = 3
        cfg.default_hooks.checkpoint.interval = 3
        cfg.model.backbone.cache_dir = str(tmp_path / 'features')
    runner = launch.build_runner(cfg)
    before = [p.detach().clone() for p in runner.model.parameters()]
    runner.train()
    after = runner.model.parameters()
    # The learning rate starts near zero where there is a warm-up.
    moved = [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    assert any(moved)
    scalars = runner.message_hub.log_scalars
    assert np.isfinite(scalars['train/loss'].current())
    (loss,) = (f'train/decode.{x}' for x in HEAD_LOSSES
               if f'train/decode.{x}' in scalars)  # fmt: skip
    assert scalars[loss].current() > 0
    affinity = parts(leaf)['method'] == 'sasformer'
    assert ('train/decode.loss_affinity' in scalars) == affinity
    if affinity:
        assert scalars['train/decode.loss_affinity'].current() > 0
        assert 0 < scalars['train/labeled_share'].current() < 0.2
    method = parts(leaf)['method']
    losses = {f'train/decode.loss_{x}' for x in ('cls', 'seg', 'aff')}
    assert (losses <= {*scalars}) == (method == 'afa')
    assert ('train/decode.loss_reg' in scalars) == name.startswith('afa_mit-b')
    assert 0 <= scalars['val/mIoU'].current() <= 100
    assert (tmp_path / 'work' / f'iter_{last}.pth').is_file()
    assert (tmp_path / 'features').is_dir() == (name in FROZEN)
