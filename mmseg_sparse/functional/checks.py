"""Checks of shapes, and the dtype to compute in."""

import torch
from torch import Tensor


def check_labels(
    logits: Tensor, labels: Tensor, name: str = 'logits (N, C, H, W)'
) -> None:
    """Raise a ValueError unless there is one label for each pixel."""
    if logits.ndim != 4 or labels.shape != logits[:, 0].shape:
        raise ValueError(
            f'expected {name} and labels (N, H, W), got '
            f'{tuple(logits.shape)}, {tuple(labels.shape)}'
        )


def check_same_size(names: str, first: Tensor, second: Tensor) -> None:
    """Raise a ValueError unless both are 4-d and differ in channels alone."""
    if (
        first.ndim != 4
        or second.ndim != 4
        or first[:, :0].shape != second[:, :0].shape
    ):
        raise ValueError(
            f'expected {names}, got {tuple(first.shape)} and '
            f'{tuple(second.shape)}'
        )


def check_maps(name: str, maps: Tensor, valid: Tensor | None) -> None:
    """Raise a ValueError unless maps are 4-d and ``valid`` fits them."""
    if maps.ndim != 4:
        raise ValueError(
            f'expected {name} (N, C, H, W), got {tuple(maps.shape)}'
        )
    check_shape('valid', valid, maps[:, 0].shape)


def check_shape(
    name: str, given: Tensor | None, shape: tuple[int, ...]
) -> None:
    """Raise a ValueError unless a tensor is None or of this shape."""
    if given is not None and given.shape != shape:
        raise ValueError(
            f'expected {name} {tuple(shape)}, got {tuple(given.shape)}'
        )


def check_mask(name: str, mask: Tensor | None, shape: tuple[int, ...]) -> None:
    """Raise a ValueError unless a mask is None or bool of this shape."""
    if mask is not None and (mask.shape != shape or mask.dtype != torch.bool):
        raise ValueError(
            f'expected {name} {tuple(shape)} of bool, got '
            f'{tuple(mask.shape)} of {mask.dtype}'
        )


def wide_dtype(*tensors: Tensor) -> torch.dtype:
    """Return the widest dtype of the tensors, at least float32."""
    dtype = torch.float32
    for tensor in tensors:
        dtype = torch.promote_types(dtype, tensor.dtype)
    return dtype
