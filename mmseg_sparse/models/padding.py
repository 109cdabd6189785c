"""What of a batch is image, and what padding."""

from collections.abc import Sequence
from typing import Any

import torch
from mmseg.structures import SegDataSample
from torch import Tensor


def inside_image(
    data_samples: Sequence[SegDataSample], labels: Tensor
) -> Tensor:
    """Return the mask of pixels that are image, not padding of the batch.

    MMSegmentation pads at the right and the bottom and keeps the size before
    padding as ``img_shape``.

    Args:
        data_samples: N samples.
        labels: Their label maps, ``(N, H, W)``.

    Returns:
        Bool ``(N, H, W)``.
    """
    height, width = labels.shape[-2:]
    sizes = torch.tensor(
        [sample.metainfo['img_shape'][:2] for sample in data_samples]
    ).to(labels.device, non_blocking=True)
    rows = torch.arange(height, device=labels.device) < sizes[:, :1]
    columns = torch.arange(width, device=labels.device) < sizes[:, 1:]
    return rows[:, :, None] & columns[:, None, :]


def not_padded(
    inputs: Tensor, batch_img_metas: Sequence[dict[str, Any]]
) -> Tensor | None:
    """Return what of a batch for inference is image, not padding.

    Args:
        inputs: The images as the network gets them, ``(N, 3, H, W)``.
        batch_img_metas: What MMSegmentation notes about them: the padding
            (left, right, top, bottom) of ``data_preprocessor.test_cfg``.

    Returns:
        Bool ``(N, H, W)``; None where nothing is padded, and for a crop of a
        sliding window, where MMSegmentation does not say which it is.
    """
    height, width = inputs.shape[2:]
    valid = torch.ones_like(inputs[:, 0], dtype=torch.bool)
    padded = False
    for mask, meta in zip(valid, batch_img_metas, strict=True):
        if isinstance(meta.get('img_shape'), torch.Size):
            return None
        padding = meta.get('padding_size', (0, 0, 0, 0))
        left, right, top, bottom = meta.get('img_padding_size', padding)
        if not any((left, right, top, bottom)):
            continue
        padded = True
        mask[:top] = mask[height - bottom :] = False
        mask[:, :left] = mask[:, width - right :] = False
    return valid if padded else None
