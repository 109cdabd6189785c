"""Inference of large images in windows, without visible seams."""

from functools import partial
from typing import Any

import torch
from mmseg.models.segmentors import EncoderDecoder
from torch import Tensor, nn


def blend_windows(model: nn.Module, window: int | None = None) -> None:
    """Let a segmentor predict in windows whose overlaps are blended.

    mmseg's sliding window averages all windows of a pixel alike, so that
    the border of a window, where the network sees little of the
    surroundings, leaves a seam. Here the weight of a window falls to zero
    towards its border.

    Args:
        model: An ``EncoderDecoder``; it is changed.
        window: Side of the windows, in pixels of the network's input; they
            overlap by a third. None: the windows of ``test_cfg``.

    Raises:
        ValueError: If the model is of another kind, or ``window`` is None
            and ``test_cfg`` names none.
    """
    if not isinstance(model, EncoderDecoder):
        raise ValueError(
            f'expected an EncoderDecoder to predict in windows, got a '
            f'{type(model).__name__}'
        )
    any_model: Any = model
    if window is not None:
        step = max(1, round(window * 2 / 3))
        any_model.test_cfg.update(
            mode='slide', crop_size=(window, window), stride=(step, step)
        )
    if any_model.test_cfg.get('mode') != 'slide':
        raise ValueError(
            "expected test_cfg.mode='slide' or the size of a window"
        )
    any_model.slide_inference = partial(blended_inference, any_model)


def blended_inference(
    model: Any, inputs: Tensor, batch_img_metas: list[dict[str, Any]]
) -> Tensor:
    """Return the weighted mean of the logits of all windows.

    Along each side the weight of a window rises linearly from its border to
    1 over the length of the overlap.

    Args:
        model: The segmentor; ``test_cfg`` has ``crop_size`` and ``stride``.
        inputs: ``(N, 3, H, W)``.
        batch_img_metas: Meta of the images.

    Returns:
        Logits, ``(N, C, H, W)``.
    """
    crop, stride = model.test_cfg.crop_size, model.test_cfg.stride
    sizes = inputs.shape[2:]
    places = [
        _places(size, side, step)
        for size, side, step in zip(sizes, crop, stride, strict=True)
    ]
    ramps = [
        _ramp(min(side, size), max(1, side - step)).to(inputs)
        for size, side, step in zip(sizes, crop, stride, strict=True)
    ]
    weight = ramps[0][:, None] * ramps[1][None, :]
    height, width = weight.shape
    total = inputs.new_zeros(len(inputs), model.out_channels, *sizes)
    weights = inputs.new_zeros(sizes)
    for top in places[0]:
        for left in places[1]:
            part = (slice(top, top + height), slice(left, left + width))
            window = inputs[..., part[0], part[1]]
            for meta in batch_img_metas:
                meta['img_shape'] = window.shape[2:]
            logits = model.encode_decode(window, batch_img_metas)
            total[..., part[0], part[1]] += logits * weight
            weights[part] += weight
    return total / weights


def _places(size: int, side: int, step: int) -> list[int]:
    """Return where windows begin; the last one ends with the image."""
    last = max(size - side, 0)
    return [*range(0, last, step), last]


def _ramp(length: int, overlap: int) -> Tensor:
    """Return weights that rise over the overlap, above 0 everywhere."""
    middle = torch.arange(length) + 0.5
    return (torch.minimum(middle, length - middle) / overlap).clamp(max=1)
