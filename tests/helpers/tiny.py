"""A SegFormer and images so small that a run takes a second."""

import copy
import uuid
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

SIZE = 64
TRAIN_IMAGES = 7
VAL_IMAGES = 2
CLASSES = ('ground', 'thing', 'other')
PALETTE = ([0, 0, 0], [0, 200, 0], [200, 0, 200])


def write_images(root: Path) -> None:
    """Write noise images with sparse labels below ``root``."""
    rng = np.random.default_rng(0)
    for split, count in (('train', TRAIN_IMAGES), ('val', VAL_IMAGES)):
        for kind in ('images', 'labels'):
            (root / kind / split).mkdir(parents=True)
        for index in range(count):
            image = rng.integers(0, 256, (80, 96, 3), dtype=np.uint8)
            labels = rng.integers(0, len(CLASSES), (80, 96), dtype=np.uint8)
            if split == 'train':
                labels[rng.random(labels.shape) > 0.2] = 255
            name = f'{index}.png'
            Image.fromarray(image).save(
                root / 'images' / split / f'{index}.jpg'
            )
            Image.fromarray(labels).save(root / 'labels' / split / name)


def _loader(root: Path, split: str, pipeline: list, **kwargs: Any) -> dict:
    return dict(
        dataset=dict(
            type='BaseSegDataset',
            data_root=str(root),
            metainfo=dict(classes=CLASSES, palette=PALETTE),
            data_prefix=dict(
                img_path=f'images/{split}', seg_map_path=f'labels/{split}'
            ),
            img_suffix='.jpg',
            pipeline=pipeline,
        ),
        **kwargs,
    )


def model_config(drop: float = 0.1, sparse: bool = True) -> dict:
    """Return a MiT with one layer a stage and a SegFormer head."""
    model = dict(
        type='EncoderDecoder',
        data_preprocessor=dict(
            type='SegDataPreProcessor',
            mean=[127.0] * 3,
            std=[64.0] * 3,
            size=(SIZE, SIZE),
            seg_pad_val=255,
        ),
        backbone=dict(
            type='MixVisionTransformer',
            embed_dims=8,
            num_stages=4,
            num_layers=[1, 1, 1, 1],
            num_heads=[1, 1, 2, 2],
            patch_sizes=[7, 3, 3, 3],
            sr_ratios=[8, 4, 2, 1],
            out_indices=(0, 1, 2, 3),
            mlp_ratio=2,
            drop_rate=drop,
            attn_drop_rate=0.0,
            drop_path_rate=drop,
        ),
        decode_head=dict(
            type='SegformerHead',
            in_channels=[8, 8, 16, 16],
            in_index=[0, 1, 2, 3],
            channels=8,
            dropout_ratio=drop,
            num_classes=len(CLASSES),
            norm_cfg=dict(type='BN'),
            align_corners=False,
            loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
        ),
        train_cfg=dict(),
        test_cfg=dict(mode='whole'),
    )
    if sparse:
        model['type'] = 'SparseEncoderDecoder'
        model['regularizers'] = [
            dict(type='AttentionAffinityLoss', loss_weight=0.1)
        ]
    return model


def config(root: Path, *, num_workers: int = 0, **changes: Any) -> dict:
    """Return a whole config: random crop, flip, colours, dropout.

    Args:
        root: Folder that :func:`write_images` filled.
        num_workers: Of each data loader, persistent where there are any.
        changes: Entries that replace those below.
    """
    train = [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations'),
        dict(
            type='RandomResize',
            scale=(96, 80),
            ratio_range=(0.8, 1.5),
            keep_ratio=True,
        ),
        dict(type='RandomCrop', crop_size=(SIZE, SIZE)),
        dict(type='RandomFlip', prob=0.5),
        dict(type='PhotoMetricDistortion'),
        dict(type='PackSegInputs'),
    ]
    test = [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations'),
        dict(type='PackSegInputs'),
    ]
    workers = dict(num_workers=num_workers, persistent_workers=num_workers > 0)
    cfg = dict(
        custom_imports=dict(
            imports=['mmseg_sparse'], allow_failed_imports=False
        ),
        default_scope='mmseg',
        env_cfg=dict(
            mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0)
        ),
        log_level='WARNING',
        model=model_config(),
        train_dataloader=_loader(
            root,
            'train',
            train,
            batch_size=2,
            sampler=dict(type='InfiniteSampler', shuffle=True),
            **workers,
        ),
        val_dataloader=_loader(
            root,
            'val',
            test,
            batch_size=1,
            sampler=dict(type='DefaultSampler', shuffle=False),
            **workers,
        ),
        val_evaluator=dict(type='IoUMetric', iou_metrics=['mIoU']),
        train_cfg=dict(
            type='IterBasedTrainLoop', max_iters=12, val_interval=5
        ),
        val_cfg=dict(type='ValLoop'),
        optim_wrapper=dict(
            type='OptimWrapper',
            optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.01),
            clip_grad=dict(max_norm=1.0),
        ),
        param_scheduler=[
            dict(type='LinearLR', start_factor=0.1, end=4, by_epoch=False),
            dict(type='PolyLR', begin=4, end=40, by_epoch=False),
        ],
        default_hooks=dict(
            logger=dict(
                type='LoggerHook', interval=5, log_metric_by_epoch=False
            ),
            checkpoint=dict(
                type='CheckpointHook',
                by_epoch=False,
                interval=5,
                max_keep_ckpts=2,
            ),
        ),
        randomness=dict(seed=3),
    )
    cfg.update(changes)
    return cfg


def train(cfg: dict, work_dir: Path, **changes: Any) -> Path:
    """Train in this process and return the folder of the checkpoints."""
    from mmengine.config import Config
    from mmengine.runner import Runner

    cfg = copy.deepcopy(cfg)
    cfg.update(work_dir=str(work_dir), **changes)
    # MMEngine keeps loggers and message hubs by name and second.
    cfg['experiment_name'] = uuid.uuid4().hex
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        Runner.from_cfg(Config(cfg)).train()
    return work_dir


def state(checkpoint: Path) -> dict[str, Any]:
    """Return everything of a checkpoint that training goes on from."""
    content = torch.load(checkpoint, weights_only=True)
    return {
        key: content[key]
        for key in ('state_dict', 'optimizer', 'param_schedulers')
    }


def differences(first: Any, second: Any, where: str = '') -> list[str]:
    """Name the entries in which two states differ, bit for bit."""
    if isinstance(first, dict) and isinstance(second, dict):
        if first.keys() != second.keys():
            return [f'{where}: other keys']
        pairs = [(key, first[key], second[key]) for key in first]
    elif isinstance(first, list | tuple) and isinstance(second, list | tuple):
        if len(first) != len(second):
            return [f'{where}: other length']
        pairs = list(zip(range(len(first)), first, second, strict=True))
    elif isinstance(first, torch.Tensor):
        return [] if torch.equal(first, second) else [where]
    else:
        return [] if first == second else [where]
    return [
        found
        for key, one, two in pairs
        for found in differences(one, two, f'{where}/{key}')
    ]
