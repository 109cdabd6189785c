"""TRL's class label filtering (CLF): no class that the tags do not name."""

import torch
import torch.nn.functional as F
from torch import Tensor

#: Logit of a class that is absent.
ABSENT = -30_000.0


def filter_classes(
    prob: Tensor, tags: Tensor, *, background: int | None = 0
) -> Tensor:
    """Set the maps of absent classes to zero, and keep the background's.

    What is left is not normalised again. Source: TRL, section 3.2.

    Args:
        prob: Probabilities or heat maps, at least 0, ``(N, C, H, W)``.
        tags: Which classes an image shows: true or above 0. ``(N, C - 1)``,
            the background left out, or ``(N, C)`` without a background.
        background: Index of the background; None: there is none.

    Returns:
        Maps of the same shape and dtype. An image without tags keeps its
        background alone.

    Raises:
        ValueError: If shapes disagree or there is no such background.
    """
    return prob.masked_fill(~_shown(prob, tags, background), 0)


def filter_class_logits(
    logits: Tensor, tags: Tensor, *, background: int | None = 0
) -> Tensor:
    """Do to logits what :func:`filter_classes` does to probabilities.

    Absent classes get -30000, whose softmax is 0 beside any logit of a
    network, and which stays a number, unlike minus infinity, when it is
    resized, averaged or written in float16.

    Args:
        logits: Scores before softmax, ``(N, C, H, W)``.
        tags: As in :func:`filter_classes`.
        background: As in :func:`filter_classes`.

    Returns:
        Logits of the same shape and dtype. Without background and tags, all
        classes are equally likely.

    Raises:
        ValueError: As :func:`filter_classes`.
    """
    return logits.masked_fill(~_shown(logits, tags, background), ABSENT)


def _shown(maps: Tensor, tags: Tensor, background: int | None) -> Tensor:
    """Return which classes stay, bool ``(N, C, 1, 1)``."""
    if maps.ndim != 4:
        raise ValueError(
            f'expected maps (N, C, H, W), got {tuple(maps.shape)}'
        )
    count, classes = maps.shape[:2]
    if background is not None and not 0 <= background < classes:
        raise ValueError(
            f'background must be None or one of {classes} classes, got '
            f'{background}'
        )
    want = (count, classes - (background is not None))
    if tuple(tags.shape) != want:
        raise ValueError(
            f'expected tags {want} for maps {tuple(maps.shape)} and '
            f'background={background}, got {tuple(tags.shape)}'
        )
    shown = tags > 0
    if background is not None:
        before, after = shown[:, :background], shown[:, background:]
        shown = torch.cat([F.pad(before, (0, 1), value=True), after], 1)
    return shown[:, :, None, None]
