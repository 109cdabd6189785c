"""Stock mmseg configs, shrunk to seconds on a CPU."""

from pathlib import Path

import mmseg
import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

CONFIGS = Path(mmseg.__file__).parent / '.mim' / 'configs'
NUM_CLASSES = 5
MIT = dict(num_layers=[1, 1, 1, 1], embed_dims=8, num_heads=[1, 1, 2, 4])
VIT = dict(img_size=(64, 64), num_layers=4, embed_dims=24, num_heads=2)
#: name -> (config below mmseg's configs/, changes to its backbone, to its
#: decode head; attention stages; a module whose input is a deep feature).
STOCK = {
    'segformer': (
        'segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py',
        MIT,
        dict(in_channels=[8, 8, 16, 32], channels=16),
        (0, 1, 2, 3),
        'decode_head.conv_seg',
    ),
    'upernet-swin': (
        'swin/swin-tiny-patch4-window7-in1k-pre_upernet_8xb2-160k_'
        'ade20k-512x512.py',
        dict(depths=[1, 1, 1, 1]),
        dict(channels=16),
        (),
        'decode_head.fpn_bottleneck',
    ),
    'upernet-resnet': (
        'upernet/upernet_r50_4xb2-40k_cityscapes-512x1024.py',
        {},
        dict(channels=16),
        (),
        'decode_head.fpn_bottleneck',
    ),
    'deeplabv3': (
        'deeplabv3/deeplabv3_r50-d8_4xb4-80k_ade20k-512x512.py',
        {},
        dict(channels=16),
        (),
        'decode_head.conv_seg',
    ),
    'deeplabv3plus': (
        'deeplabv3plus/deeplabv3plus_r50-d8_4xb4-80k_ade20k-512x512.py',
        {},
        dict(channels=16),
        (),
        'decode_head.conv_seg',
    ),
    'pspnet': (
        'pspnet/pspnet_r50-d8_4xb4-80k_ade20k-512x512.py',
        {},
        dict(channels=16),
        (),
        'decode_head.conv_seg',
    ),
    'setr-pup': (
        'setr/setr_vit-l_pup_8xb2-160k_ade20k-512x512.py',
        dict(VIT, out_indices=(0, 1, 2, 3)),
        dict(in_channels=24, channels=16),
        (0,),
        'decode_head.conv_seg',
    ),
    'setr-mla': (
        'setr/setr_vit-l-mla_8xb1-160k_ade20k-512x512.py',
        dict(VIT, out_indices=(0, 1, 2, 3)),
        {},
        (0,),
        'decode_head.conv_seg',
    ),
    'segmenter': (
        'segmenter/segmenter_vit-b_mask_8xb1-160k_ade20k-512x512.py',
        VIT,
        dict(
            in_channels=24,
            channels=24,
            embed_dims=24,
            num_layers=1,
            num_heads=2,
        ),
        (0,),
        'decode_head.dec_proj',
    ),
    'twins-pcpvt': (
        'twins/twins_pcpvt-s_uperhead_8xb4-160k_ade20k-512x512.py',
        dict(depths=[1, 1, 1, 1]),
        dict(channels=16),
        (0, 1, 2, 3),
        'decode_head.fpn_bottleneck',
    ),
    'twins-svt': (
        'twins/twins_svt-s_fpn_fpnhead_8xb4-80k_ade20k-512x512.py',
        dict(depths=[2, 2, 2, 2]),
        {},
        (1, 3),
        'decode_head.conv_seg',
    ),
    'ocrnet': (
        'ocrnet/ocrnet_hr18s_4xb4-80k_ade20k-512x512.py',
        {},
        {},
        (),
        'decode_head.conv_seg',
    ),
    'hrnet': (
        'hrnet/fcn_hr18s_4xb4-80k_ade20k-512x512.py',
        {},
        {},
        (),
        'decode_head.conv_seg',
    ),
    'bisenetv1': (
        'bisenetv1/bisenetv1_r18-d32_4xb4-160k_cityscapes-1024x1024.py',
        {},
        {},
        (),
        'decode_head.conv_seg',
    ),
    'bisenetv2': (
        'bisenetv2/bisenetv2_fcn_4xb4-160k_cityscapes-1024x1024.py',
        {},
        {},
        (),
        'decode_head.conv_seg',
    ),
    'stdc': (
        'stdc/stdc1_4xb12-80k_cityscapes-512x1024.py',
        {},
        {},
        (),
        'decode_head.conv_seg',
    ),
}


def _strip(cfg):
    """Drop what would fetch weights; make training deterministic."""
    if isinstance(cfg, dict):
        init = cfg.get('init_cfg')
        if isinstance(init, dict) and init.get('type') == 'Pretrained':
            cfg.init_cfg = None
        if 'pretrained' in cfg:
            cfg.pretrained = None
        for key in ('drop_rate', 'attn_drop_rate', 'drop_path_rate'):
            if key in cfg:
                cfg[key] = 0.0
        if 'num_classes' in cfg:  # a head
            cfg.num_classes = NUM_CLASSES
            cfg.dropout_ratio = 0.0
        for value in cfg.values():
            _strip(value)
    elif isinstance(cfg, (list, tuple)):
        for value in cfg:
            _strip(value)


def stock_model_config(name):
    path, backbone, decode_head, _, _ = STOCK[name]
    cfg = Config.fromfile(CONFIGS / path).model
    _strip(cfg)
    if cfg.backbone.type == 'SVT':
        cfg.backbone.drop_path_rate = 0.0
    cfg.backbone.update(backbone)
    if decode_head:
        cfg.decode_head.update(decode_head)
    if name.startswith('setr'):
        fit_setr(cfg)
    cfg.data_preprocessor.pop('size', None)
    cfg.test_cfg = dict(mode='whole')
    return cfg


def fit_setr(cfg):
    """Set the widths that follow from a ViT of 24 channels."""
    if cfg.get('neck'):
        cfg.neck.in_channels = [24, 24, 24, 24]
    for head in cfg.auxiliary_head:
        if head.type == 'SETRUPHead':
            head.in_channels = 24


def build(cfg, seed=0):
    torch.manual_seed(seed)
    return revert_sync_batchnorm(MODELS.build(cfg))


def batch(n=2, height=64, width=64, labels=None):
    """Random images and strokes; the last image is padded."""
    generator = torch.Generator().manual_seed(3)
    images = torch.randn(n, 3, height, width, generator=generator)
    if labels is None:
        labels = torch.full((n, height, width), 255)
        for index in range(n):
            labels[index, 5:9, 3:30] = index % NUM_CLASSES
            labels[index, 20:40, 7:9] = (index + 2) % NUM_CLASSES
    samples = []
    for index in range(n):
        shape = (height, width)
        if index == n - 1:
            shape = (height - 8, width - 24)
            images[index, :, shape[0] :] = 0
            images[index, :, :, shape[1] :] = 0
            labels[index, shape[0] :] = 255
            labels[index, :, shape[1] :] = 255
        samples.append(
            SegDataSample(
                gt_sem_seg=PixelData(data=labels[index][None].long()),
                metainfo=dict(
                    img_shape=shape,
                    pad_shape=(height, width),
                    ori_shape=shape,
                    padding_size=(
                        0,
                        width - shape[1],
                        0,
                        height - shape[0],
                    ),
                ),
            )
        )
    return images, samples
