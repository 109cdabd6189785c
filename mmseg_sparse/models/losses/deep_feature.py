"""A deep feature of the decode head, as regularizers compare it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmseg_sparse.functional import resize_inside, valid_on_grid

from ..features import Features


def deep_feature(
    feats: Features,
    feature_from: str,
    conv: nn.Conv2d | None,
    valid: Tensor,
    inside: Tensor,
) -> Tensor:
    """Return the input of a module, to which padding adds nothing.

    Args:
        feats: ``Features`` with the module's input.
        feature_from: The name of the module.
        conv: A 1×1 convolution that is followed by ReLU. None: the input
            as it is.
        valid: Bool ``(N, H, W)``, false in padding.
        inside: The same at the size of the logits, ``(N, h, w)``.

    Returns:
        ``(N, d, h, w)``.

    Raises:
        ValueError: If the input is no map, or not one that ``conv`` takes.
    """
    deep = feats.module_inputs[feature_from]
    if not isinstance(deep, Tensor) or deep.ndim != 4:
        raise ValueError(
            f'feature_from={feature_from!r} must name a module whose input '
            'is one map (N, C, h, w), got '
            f'{getattr(deep, "shape", type(deep).__name__)}'
        )
    same = deep.shape[2:] == inside.shape[1:]
    seen = inside if same else valid_on_grid(valid, deep.shape[2:])
    # Also values that are not finite: the gradient of the convolution's
    # weight would have them, times 0.
    deep = torch.where(seen.unsqueeze(1), deep, 0)
    if conv is not None:
        if deep.shape[1] != conv.in_channels:
            raise ValueError(
                f'in_channels={conv.in_channels}, but the input of '
                f'{feature_from} has {deep.shape[1]} channels'
            )
        deep = F.relu(conv(deep))
    if same:
        return deep
    return resize_inside(deep, inside.shape[1:], valid=seen)
