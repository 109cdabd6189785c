"""What AFASegmentor makes of image tags on the way to masks."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

#: Fields of a data sample that ``test_cfg.pseudo_labels`` asks for.
FIELDS = ('cam', 'refined', 'propagated', 'final', 'labels')


@dataclass(frozen=True)
class PseudoLabels:
    """The labels that a batch is given on the way from tags to masks.

    Maps are of the images' size and all ``(N, H, W)`` but for ``scores``,
    255 in padding. But for ``labels`` every pixel has a class, the
    background score being the mean of the two.

    Attributes:
        cam: Best class of the activation maps.
        refined: Of the refined activation maps.
        propagated: Of the propagated activation maps, brought to the images'
            size; None without propagation.
        final: Of the maps the training labels come from: propagated, then
            refined, or without propagation ``refined``.
        labels: What the segmentation learns from, 255 where the two
            background scores disagree.
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


def as_original(labels: Tensor, meta: dict[str, Any]) -> Tensor:
    """Bring a label map of the input to the image as it was, ``(H, W)``."""
    height, width = meta['img_shape'][:2]
    labels = labels[:height, :width]
    if meta.get('flip'):
        vertical = meta.get('flip_direction') == 'vertical'
        labels = labels.flip(0 if vertical else 1)
    small = labels[None, None].to(torch.float32)
    large = F.interpolate(small, meta['ori_shape'][:2], mode='nearest-exact')
    return large[0, 0].to(labels.dtype)
