"""The two operators of ``mmcv.ops`` that mmseg's heads and losses call."""

import torch
import torch.nn.functional as F
from torch import Tensor


def point_sample(
    input: Tensor,
    points: Tensor,
    align_corners: bool = False,
    **kwargs: str,
) -> Tensor:
    """Sample a map at points, as ``mmcv.ops.point_sample`` does.

    Args:
        input: Map, ``(N, C, H, W)``.
        points: Coordinates (x, y), 0 to 1 across the image, ``(N, P, 2)``
            or ``(N, Hp, Wp, 2)``.
        align_corners: As in :func:`torch.nn.functional.grid_sample`.
        **kwargs: ``mode`` and ``padding_mode`` of ``grid_sample``.

    Returns:
        ``(N, C, P)`` or ``(N, C, Hp, Wp)``.
    """
    flat = points.dim() == 3
    grid = (points.unsqueeze(2) if flat else points) * 2 - 1
    out = F.grid_sample(input, grid, align_corners=align_corners, **kwargs)
    return out.squeeze(3) if flat else out


def sigmoid_focal_loss(
    input: Tensor,
    target: Tensor,
    gamma: float = 2.0,
    alpha: float = 0.25,
    weight: Tensor | None = None,
    reduction: str = 'mean',
) -> Tensor:
    r"""Focal loss of Lin et al. (ICCV 2017), eq. 5, one sigmoid a class.

    Args:
        input: Scores before the sigmoid, ``(N, C)``.
        target: Class ids ``(N,)``; any other number is none of the classes.
        gamma: Focusing exponent.
        alpha: Weight of the positive class, ``1 - alpha`` of the others.
        weight: Weight a class, ``(C,)``, taken at the target.
        reduction: ``'none'`` gives ``(N, C)``; ``'mean'`` divides the sum by
            N, as mmcv does; ``'sum'``.

    Returns:
        The loss; a scalar unless ``reduction`` is ``'none'``.
    """
    num_classes = input.shape[1]
    if reduction not in ('none', 'mean', 'sum'):
        raise ValueError(f'reduction must be none, mean, sum: {reduction!r}')
    ids = torch.arange(num_classes, device=input.device)
    known = target[:, None] == ids
    positive = known.to(input.dtype)
    prob = torch.sigmoid(input)
    p_true = torch.where(known, prob, 1 - prob)
    balance = alpha * positive + (1 - alpha) * (1 - positive)
    bce = F.binary_cross_entropy_with_logits(input, positive, reduction='none')
    loss = balance * (1 - p_true).pow(gamma) * bce
    if weight is not None:
        loss = loss * (positive @ weight.to(positive.dtype))[:, None]
    if reduction == 'mean':
        return loss.sum() / max(input.shape[0], 1)
    return loss.sum() if reduction == 'sum' else loss
