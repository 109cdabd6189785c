"""Class activation maps.

Source: AFA, section 3.2, eq. 2, and table 1.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from .checks import check_maps
from .resize import resize_inside
from .token_centers import Centers, sample_linear, sample_nearest

#: Added to the maximum that maps are divided by, as in the release.
EPSILON = 1e-5
POOLINGS = ('gmp', 'gap')


def check_pooling(pooling: str | float) -> None:
    """Raise a ValueError unless :func:`top_k_pool` knows a pooling."""
    known = pooling in POOLINGS
    if isinstance(pooling, int | float) and not isinstance(pooling, bool):
        known = 0 < pooling <= 1
    if not known:
        raise ValueError(
            f"pooling must be 'gmp', 'gap' or a share in (0, 1], got "
            f'{pooling!r}'
        )


def top_k_pool(
    feature: Tensor,
    *,
    pooling: str | float = 'gmp',
    valid: Tensor | None = None,
) -> Tensor:
    r"""Average the largest values of each feature map.

    With :math:`n` positions inside an image, the :math:`\lceil k n\rceil`
    largest of each channel count. ``'gmp'``, global max-pooling, is the
    largest alone; ``'gap'``, global average pooling, is :math:`k = 1`.

    Source: AFA, section 4.2 and table 1, which has k in percent.

    Args:
        feature: ``(N, D, h, w)``.
        pooling: ``'gmp'``, ``'gap'``, or the share k in (0, 1].
        valid: Bool ``(N, h, w)``, false in padding. None: no padding.

    Returns:
        ``(N, D)`` in the dtype of ``feature``; 0 with zero gradient for an
        image that has no position.

    Raises:
        ValueError: If shapes disagree or ``pooling`` is none of those.
    """
    check_pooling(pooling)
    check_maps('feature', feature, valid)
    flat = feature.flatten(2)
    if valid is None:
        inside = torch.ones_like(flat[:, :1], dtype=torch.bool)
    else:
        inside = valid.flatten(1).unsqueeze(1)
    count = inside.sum(2, keepdim=True)
    if pooling == 'gmp':
        least = torch.finfo(flat.dtype).min
        best = flat.masked_fill(~inside, least).amax(2)
        return torch.where(count[..., 0] > 0, best, flat.sum(2) * 0)
    share = 1.0 if isinstance(pooling, str) else float(pooling)
    # A share such as 0.1 is no binary fraction: 0.1 * 10 may exceed 1.
    wanted = torch.ceil(share * count.double() - 1e-9).long()
    ranked = flat.masked_fill(~inside, -math.inf).sort(2, True).values
    rank = torch.arange(flat.shape[2], device=flat.device)
    chosen = ranked.masked_fill(rank >= wanted, 0)
    return chosen.sum(2) / wanted[..., 0].clamp(min=1).to(flat.dtype)


def class_activation(
    feature: Tensor, weight: Tensor, *, rectify: bool = True
) -> Tensor:
    r"""Weigh feature maps by what they mean to each class, eq. 2.

    .. math:: M^c = \mathrm{ReLU}\Bigl(\sum_i W^{i,c} F^i\Bigr).

    Args:
        feature: F, ``(N, D, h, w)``.
        weight: W of a classifier without bias, ``(K, D)``; dimensions of
            size 1 may follow, as a 1×1 convolution has them.
        rectify: Whether the ReLU is applied.

    Returns:
        ``(N, K, h, w)``.

    Raises:
        ValueError: If shapes disagree.
    """
    if feature.ndim != 4 or weight.shape[1:2] != feature.shape[1:2]:
        raise ValueError(
            'expected feature (N, D, h, w) and weight (K, D), got '
            f'{tuple(feature.shape)} and {tuple(weight.shape)}'
        )
    scores = torch.einsum('kd,ndhw->nkhw', weight.flatten(1), feature)
    return scores.relu() if rectify else scores


def normalize_activation(
    cam: Tensor, *, valid: Tensor | None = None
) -> Tensor:
    """Bring each map to [0, 1]: minus its minimum, by its new maximum.

    Source: AFA, section 3.2; 1e-5 is added to the maximum as in the release.

    Args:
        cam: ``(N, K, H, W)``.
        valid: Bool ``(N, H, W)``: padding counts for neither. None: no
            padding.

    Returns:
        ``(N, K, H, W)``; 0 in padding.

    Raises:
        ValueError: If shapes disagree.
    """
    check_maps('cam', cam, valid)
    if valid is None:
        above = cam - cam.amin((2, 3), keepdim=True)
    else:
        outside = ~valid.unsqueeze(1)
        low = cam.masked_fill(outside, math.inf).amin((2, 3), keepdim=True)
        above = (cam - low).masked_fill(outside, 0)
    return above / (above.amax((2, 3), keepdim=True) + EPSILON)


def merge_activations(
    scales: Sequence[tuple[Tensor, Tensor | None, Tensor | None]],
    size: tuple[int, int],
    *,
    valid: Tensor | None = None,
    centers: Sequence[Sequence[Centers]] | None = None,
) -> Tensor:
    r"""Merge the maps of several scales of an image and of its mirror images.

    With :math:`M_s` the maps of scale s before the ReLU, resized, and
    :math:`\bar M_s` those of the mirrored image, mirrored back, it is

    .. math:: \sum_s \mathrm{ReLU}\bigl(\max(M_s, \bar M_s)\bigr),

    normalised by :func:`normalize_activation`. The paper has one scale and
    no mirror image (eq. 2); this is the release.

    Args:
        scales: For each scale the maps ``(N, K, h, w)`` of the image, those
            of the mirrored image or None, and a bool mask ``(N, h, w)`` that
            is false in the padding of the former, or None.
        size: Height and width of the result.
        valid: Bool ``(N, *size)``, false in padding. None: no padding.
        centers: For each scale the centres of the maps' rows and columns in
            pixels of the result and, for mirrored maps, those of their
            columns when they are mirrored back. None: they are spread over
            the image.

    Returns:
        ``(N, K, *size)`` in [0, 1].

    Raises:
        ValueError: If there is no scale, or shapes disagree.
    """
    if not scales:
        raise ValueError('scales must hold at least one, got none')
    total: Tensor | None = None
    for index, (maps, mirrored, inside) in enumerate(scales):
        places = () if centers is None else centers[index]
        merged = _enlarged(maps, size, inside, valid, places[:2])
        if mirrored is not None:
            back = mirrored.flip(-1)
            back = _enlarged(back, size, inside, valid, places[::2])
            merged = torch.maximum(merged, back)
        merged = merged.relu()
        total = merged if total is None else total + merged
    assert total is not None
    return normalize_activation(total, valid=valid)


def _enlarged(
    maps: Tensor,
    size: tuple[int, int],
    inside: Tensor | None,
    valid: Tensor | None,
    centers: Sequence[Centers],
) -> Tensor:
    """Bring maps to the size of the image.

    Args:
        maps: ``(N, K, h, w)``.
        size: Height and width of the image.
        inside: Bool ``(N, h, w)``, for maps that are spread over the image.
        valid: Bool ``(N, *size)``.
        centers: Those of rows and columns; none: the maps are spread.
    """
    if not centers:
        return resize_inside(maps, size, valid=inside)
    if valid is not None:
        at = [
            c.positions(count, maps.device)
            for c, count in zip(centers, maps.shape[2:], strict=True)
        ]
        inside = sample_nearest(valid, *at)
    rows, columns = (
        c.coordinates(count, maps.device)
        for c, count in zip(centers, size, strict=True)
    )
    return sample_linear(
        maps, rows, columns, valid=None if valid is None else inside
    )
