"""Class activation maps of several scales of a batch, and its affinities."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from mmseg.structures import SegDataSample
from torch import Tensor, nn
from torch.profiler import record_function

from mmseg_sparse.functional import (
    Attention,
    merge_activations,
    valid_on_grid,
)

from ..backbones import AttentionRecorder
from ..contracts import TagClassifier
from ..features import Features
from ..padding import inside_image
from .pseudo_labels import maps_as_original

SCALES = (1.0, 0.5, 1.5)


@dataclass(frozen=True)
class Activations:
    """What the extra forward passes of a batch give.

    Attributes:
        cam: Maps of the tags at the images' size, ``(N, tags, H, W)``, in
            [0, 1], 0 in padding.
        layers: The recorded layers of the largest scale, of the images and
            then, if there are, of their mirror images; empty where nothing
            was to be recorded.
    """

    cam: Tensor
    layers: Sequence[Attention]


@contextmanager
def evaluating(*modules: nn.Module) -> Iterator[None]:
    """Run modules in evaluation mode, then set each one back as it was."""
    parts = [part for module in modules for part in module.modules()]
    modes = [part.training for part in parts]
    for part in parts:
        part.training = False
    try:
        yield
    finally:
        for part, mode in zip(parts, modes, strict=True):
            part.training = mode


@torch.no_grad()
@record_function('mmseg_sparse/multi_scale_cam')
def multi_scale_cam(
    model: Any,
    images: Tensor,
    valid: Tensor,
    *,
    scales: Sequence[float],
    flip: bool,
    stage: int | None,
) -> Activations:
    """Activate a batch at several scales, without gradient.

    Args:
        model: A segmentor with ``AFAHead``; its backbone and neck run in
            evaluation mode and are set back as they were.
        images: Normalised, ``(N, 3, H, W)``.
        valid: Bool ``(N, H, W)``, false in padding.
        scales: Factors on the images' size.
        flip: Whether each scale also sees the mirrored images.
        stage: The stage to record at the largest scale; None: none.
    """
    largest = max(scales)
    size = (images.shape[2], images.shape[3])
    parts = [model.backbone] + ([model.neck] if model.with_neck else [])
    merged, layers = [], []
    with evaluating(*parts):
        for scale in scales:
            record = stage if scale == largest else None
            batch = _resized(images, scale)
            if flip:
                batch = torch.cat([batch, batch.flip(-1)])
            feats, recorded = _features(model, batch, record)
            layers = recorded or layers
            maps = model.decode_head.activation(feats).float()
            inside = valid_on_grid(valid, (maps.shape[2], maps.shape[3]))
            plain, *mirrored = maps.split(len(images))
            merged.append((plain, mirrored[0] if flip else None, inside))
    return Activations(merge_activations(merged, size, valid=valid), layers)


def _resized(images: Tensor, scale: float) -> Tensor:
    if scale == 1:
        return images
    size = [max(int(side * scale), 1) for side in images.shape[2:]]
    return F.interpolate(images, size, mode='bilinear', align_corners=False)


def _features(
    model: Any, batch: Tensor, stage: int | None
) -> tuple[Features, Sequence[Attention]]:
    """Run backbone and neck, recording a stage."""
    if stage is None:
        attention: Sequence[Sequence[Attention]] = ()
        maps = model.backbone(batch)
    else:
        with AttentionRecorder(model.backbone, [stage]) as attention:
            maps = model.backbone(batch)
    if model.with_neck:
        maps = model.neck(maps)
    layers = attention[stage] if stage is not None else ()
    return Features(maps, batch, attention), layers


def first_images(layers: Sequence[Attention], count: int) -> list[Attention]:
    """Return the attention of the first images of a batch alone."""
    return [
        Attention(
            layer.query[:count],
            layer.key[:count],
            layer.scale,
            layer.query_hw,
            layer.key_hw,
        )
        for layer in layers
    ]


@torch.no_grad()
def class_activations(
    model: Any, inputs: Tensor, data_samples: Sequence[SegDataSample]
) -> list[Tensor]:
    """Activate the tags of images, at several scales.

    Scales and mirror images are those of ``AFASegmentor``, ``cam_scales``
    and ``cam_flip``, of other segmentors its defaults: 1, 0.5 and 1.5, with
    mirror images. Padding takes no part.

    Args:
        model: A segmentor whose decode head is like an ``AFAHead``: with
            ``activation`` and ``stack_tags``.
        inputs: Normalised images, ``(N, 3, H, W)``.
        data_samples: N samples with ``gt_label``, ``img_shape``, and
            ``ori_shape``, the size to return.

    Returns:
        For each image its maps, ``(tags, H, W)`` in [0, 1], 0 for classes
        that the image does not show, resized bilinearly to the image as it
        was before the pipeline.

    Raises:
        TypeError: If the head has no class activation maps.
        ValueError: If a sample has no tags, or others than the head.
    """
    head = model.decode_head
    if not isinstance(head, TagClassifier):
        raise TypeError(
            f'{type(head).__name__} has no class activation maps: set an '
            'AFAHead as the decode head'
        )
    tags = head.stack_tags(data_samples).to(inputs.device)
    cam = multi_scale_cam(
        model,
        inputs,
        inside_image(data_samples, inputs[:, 0]),
        scales=getattr(model, 'cam_scales', SCALES),
        flip=getattr(model, 'cam_flip', True),
        stage=None,
    ).cam
    cam = cam * (tags > 0)[:, :, None, None]
    return [
        maps_as_original(maps, sample.metainfo)
        for maps, sample in zip(cam, data_samples, strict=True)
    ]
