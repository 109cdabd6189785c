"""Tiny DCTNs that tests share."""

import torch
from mmengine.config import ConfigDict
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

CLASSES = 4
STAGES = dict(
    low_channels=6,
    embed_dims=(4, 6, 8, 10),
    num_heads=(1, 2, 2, 2),
    depths=(1, 2, 3, 2),
    mlp_ratios=(2, 2, 2, 2),
    drop_path_rate=0.0,
)
BACKBONE = dict(
    type='DualCrossTransformer', heatmap_channels=CLASSES, **STAGES
)
HEAD = dict(
    type='DCTNHead',
    in_channels=[4, 6, 8, 10],
    low_channels=6,
    num_classes=CLASSES,
    loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
)
FPN_HEAD = dict(HEAD, type='DCTNFPNHead', fpn_channels=8, channels=8)


def config(head=HEAD, **changes):
    model = dict(
        type='HeatmapRefiner',
        data_preprocessor=dict(
            type='SegDataPreProcessor', size_divisor=16, seg_pad_val=255
        ),
        backbone=dict(BACKBONE),
        decode_head=dict(head),
        train_cfg=dict(),
        test_cfg=dict(mode='whole'),
    )
    model.update(changes)
    return ConfigDict(model)


def build(cfg, seed=0):
    torch.manual_seed(seed)
    model = MODELS.build(cfg)
    model.init_weights()
    return model


def inputs(n=2, height=32, width=48, seed=3):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 3 + CLASSES, height, width, generator=generator)


def sample(labels=None, heatmap=None, tags=None, **meta):
    shape = (labels if labels is not None else heatmap).shape[-2:]
    found = SegDataSample(
        metainfo={
            **dict(img_shape=tuple(shape), ori_shape=tuple(shape)),
            **meta,
        }
    )
    if labels is not None:
        found.gt_sem_seg = PixelData(data=labels[None])
    if heatmap is not None:
        found.set_data(dict(heatmap=PixelData(data=heatmap)))
    if tags is not None:
        found.set_field(torch.as_tensor(tags, dtype=torch.float32), 'gt_label')
    return found
