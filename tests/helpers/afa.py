"""AFA's model, small, and samples with tags that its tests share."""

import torch
from mmengine.structures import PixelData

from tests.helpers import stock
from tests.helpers.sparse import config

#: Of stock's MiT: one layer of 4 heads in the last stage.
HEADS = 4
HEAD = dict(
    type='AFAHead',
    in_channels=[8, 8, 16, 32],
    in_index=[0, 1, 2, 3],
    channels=12,
    num_classes=stock.NUM_CLASSES,
    dropout_ratio=0.0,
    norm_cfg=dict(type='BN'),
    attention_heads=HEADS,
)


def batch(height=64, width=64, tags=None, fill=255):
    """Random images with tags; the second is padded by whole tokens."""
    images, samples = stock.batch(height=height, width=width)
    inside = (24, width - 24)
    images[1, :, inside[0] :] = images[1, :, :, inside[1] :] = 0
    samples[1].set_metainfo(
        dict(
            img_shape=inside,
            ori_shape=inside,
            padding_size=(0, width - inside[1], 0, height - inside[0]),
        )
    )
    if tags is None:
        tags = [[1, 0, 1, 0], [0, 0, 0, 1]]
    for sample, hot in zip(samples, tags, strict=True):
        labels = torch.full_like(sample.gt_sem_seg.data, fill)
        sample.gt_sem_seg = PixelData(data=labels)
        sample.set_field(torch.tensor(hot, dtype=torch.float32), 'gt_label')
    return images, samples


def head_config(**changes):
    """A model whose segmentor is not AFA's."""
    cfg = config()
    cfg.decode_head = HEAD | changes
    return cfg


def config_of(head=None, **changes):
    """AFA's model; the last stage of its backbone is at 1/16."""
    cfg = head_config(**head or {})
    cfg.pop('regularizers')
    cfg.type = 'AFASegmentor'
    cfg.backbone.strides = [4, 2, 2, 1]
    cfg.segmentation_begin = 2
    cfg.propagation_begin = 5
    cfg.update(changes)
    return cfg


def build(head=None, **changes):
    return stock.build(config_of(head, **changes))
