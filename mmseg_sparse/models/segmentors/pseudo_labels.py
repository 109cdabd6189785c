"""What AFASegmentor makes of image tags on the way to masks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import Tensor


@dataclass(frozen=True)
class PseudoLabels:
    """The labels that a batch is given on the way from tags to masks.

    Maps are of the images' size and all ``(N, H, W)`` but for ``scores``,
    255 in padding. But for ``labels`` every pixel has a class; the background
    scores are ``measured_scores``, the first for ``cam`` and ``refined``, the
    second for ``propagated``. ``final`` has the score of what was refined.

    Attributes:
        cam: Best class of the activation maps.
        refined: Of the refined activation maps.
        propagated: Of the propagated activation maps, brought to the images'
            size; None without propagation.
        final: Of the maps the training labels come from: propagated, then
            refined, or without propagation ``refined``.
        labels: What the segmentation learns from, 255 where the two
            background scores disagree or, without a background, where the
            margin to the next class is among the least.
        scores: The maps of ``final``, ``(N, tags + 1, H, W)``, the background
            first; 0 for absent classes, and for the background where there
            is no such class.
        activation: Activation maps, ``(N, tags, H, W)`` in [0, 1].
    """

    cam: Tensor
    refined: Tensor
    propagated: Tensor | None
    final: Tensor
    labels: Tensor
    scores: Tensor
    activation: Tensor


def add_to_results(
    found: PseudoLabels, data_samples: Sequence[SegDataSample]
) -> None:
    """Put a batch's labels into its samples, at the images' own size.

    They are label maps ``(1, H, W)`` and, as ``pseudo_confidence``, the best
    of ``scores``, which is that of ``pseudo_final``.
    """
    fields = {
        'pseudo_cam': found.cam,
        'pseudo_refined': found.refined,
        'pseudo_propagated': found.propagated,
        'pseudo_final': found.final,
        'pseudo_labels': found.labels,
    }
    for index, sample in enumerate(data_samples):
        for field, maps in fields.items():
            if maps is not None:
                labels = as_original(maps[index], sample.metainfo)
                sample.set_field(PixelData(data=labels[None]), field)
        best = found.scores[index].amax(0, keepdim=True)
        best = maps_as_original(best, sample.metainfo)
        sample.set_field(PixelData(data=best), 'pseudo_confidence')


def as_original(labels: Tensor, meta: dict[str, Any]) -> Tensor:
    """Bring a label map of the input to the image as it was, ``(H, W)``."""
    small = _unpadded(labels[None], meta)[None].to(torch.float32)
    large = F.interpolate(small, meta['ori_shape'][:2], mode='nearest-exact')
    return large[0, 0].to(labels.dtype)


def maps_as_original(maps: Tensor, meta: dict[str, Any]) -> Tensor:
    """Bring maps of the input to the image as it was, ``(K, H, W)``."""
    return F.interpolate(
        _unpadded(maps, meta)[None], meta['ori_shape'][:2], mode='bilinear',
        align_corners=False,
    )[0]  # fmt: skip


def _unpadded(maps: Tensor, meta: dict[str, Any]) -> Tensor:
    """Return maps without padding, mirrored back."""
    height, width = meta['img_shape'][:2]
    maps = maps[:, :height, :width]
    if meta.get('flip'):
        vertical = meta.get('flip_direction') == 'vertical'
        maps = maps.flip(1 if vertical else 2)
    return maps
