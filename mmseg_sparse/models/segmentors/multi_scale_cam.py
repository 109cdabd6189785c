"""Class activation maps of several scales of a batch, and its affinities."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.profiler import record_function

from mmseg_sparse.functional import (
    Attention,
    merge_activations,
    valid_on_grid,
)
from mmseg_sparse.functional.token_centers import Centers

from ..backbones import AttentionRecorder
from ..features import Features


@dataclass(frozen=True)
class Activations:
    """What the extra forward passes of a batch give.

    Attributes:
        cam: Maps of the tags at the images' size, ``(N, tags, H, W)``, in
            [0, 1], 0 in padding.
        layers: The recorded layers of the largest scale, of the images and
            then, if there are, of their mirror images; empty where nothing
            was to be recorded.
        centers: Where the rows and the columns of that scale's tokens are
            centred, in pixels of the images; None where they are taken to be
            spread over the images.
    """

    cam: Tensor
    layers: Sequence[Attention]
    centers: tuple[Centers, Centers] | None = None


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
    centers: Centers | None = None,
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
        centers: Where the tokens of an image are centred, in its pixels;
            None: they are taken to be spread over it.
    """
    largest = max(scales)
    size = (images.shape[2], images.shape[3])
    parts = [model.backbone] + ([model.neck] if model.with_neck else [])
    merged: list[tuple[Tensor, Tensor | None, Tensor]] = []
    layers: Sequence[Attention] = ()
    places: list[tuple[Centers, Centers, Centers]] = []
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
            if centers is not None:
                places.append(_centers(centers, size, batch, maps))
    cam = merge_activations(merged, size, valid=valid, centers=places or None)
    of_largest = places[scales.index(largest)][:2] if places else None
    return Activations(cam, layers, of_largest)


def _centers(
    centers: Centers, size: tuple[int, int], batch: Tensor, maps: Tensor
) -> tuple[Centers, Centers, Centers]:
    """Return the centres of maps of a resized batch, in the images' pixels.

    They are those of rows, columns, and columns of mirror images that are
    mirrored back.
    """
    rows, columns = (
        centers.scaled(batch.shape[axis + 2] / side)
        for axis, side in enumerate(size)
    )
    return rows, columns, columns.mirrored(maps.shape[3], size[1])


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
            layer.query_centers,
            layer.key_centers,
        )
        for layer in layers
    ]
