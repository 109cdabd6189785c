"""BLPSeg's local aggregation: average logits over similar pixels nearby."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .checks import check_mask, wide_dtype

#: Score of a pixel that nothing is taken from: its weight is exactly 0.
EXCLUDED = -1e30


def local_aggregate(
    logits: Tensor,
    feature: Tensor | None,
    *,
    sigma: float | Tensor | None,
    known: Tensor | None = None,
    receiving: Tensor | None = None,
) -> Tensor:
    r"""Average each pixel's logits over the image, by similarity and distance.

    With :math:`x` the logits, :math:`f` the feature and :math:`s` the
    position of a pixel, in pixels of ``logits``,

    .. math::
        y_j = \sum_{i\in\Omega} A_{ij} x_i,\qquad
        A_{ij} = \operatorname*{softmax}_{i\in\Omega} \Bigl(
            f_i^\top f_j - \frac{\|s_i-s_j\|^2}{2\sigma^2}\Bigr),

    :math:`\Omega` the pixels of ``known``. Source: BLPSeg, eq. 3-5; the
    denominator of :math:`P_{low}` depends on j alone and cancels in eq. 4.
    Rows of table III are ``feature=None`` and ``sigma=None``; table V is
    ``known``. Time is quadratic and memory linear in the pixels.

    Args:
        logits: :math:`x`, ``(N, K, H, W)``.
        feature: :math:`f`, ``(N, C, H, W)``; None leaves similarity out.
        sigma: Width of the kernel in pixels, a number or a 0-dim tensor,
            which may be learned and must not be 0; None leaves distance out.
        known: Bool ``(N, H, W)``, the pixels that logits are taken from; the
            values of the others do not matter. An image without one is
            returned as it is. None: all.
        receiving: Bool ``(N, H, W)``, the pixels whose average is wanted;
            the others keep their logits, and only wanted ones cost time.
            Counting them makes the host wait for a GPU. None: all.

    Returns:
        ``(N, K, H, W)`` in float32 or the widest dtype of ``logits`` and
        ``feature``.

    Raises:
        ValueError: If shapes disagree, ``sigma`` is not positive, or neither
            ``feature`` nor ``sigma`` is there.
    """
    _check(logits, feature, sigma, known, receiving)
    dtype = wide_dtype(logits, *([] if feature is None else [feature]))
    with torch.autocast(logits.device.type, enabled=False):
        value = logits.to(dtype)
        query, key = _query_and_key(value, feature, sigma, known)
        if known is None:
            return _attend(query, key, value, value, receiving)
        # The weight 0 of a pixel does not cancel infinity or NaN.
        source = value.masked_fill(~known.unsqueeze(1), 0)
        out = _attend(query, key, source, value, receiving)
        anything = known.flatten(1).any(1)[:, None, None, None]
        return torch.where(anything, out, value)


def _attend(
    query: Tensor,
    key: Tensor,
    source: Tensor,
    value: Tensor,
    receiving: Tensor | None,
) -> Tensor:
    """Return ``source`` averaged by A, or ``value`` where none is wanted."""
    # The fused CPU kernel wants equal head sizes for q, k and v, the CUDA
    # ones a multiple of 8.
    width = -(-max(query.shape[1], value.shape[1]) // 8) * 8
    asking = _rows(query, width)
    if receiving is not None:
        index = _first(receiving.flatten(1))
        asking = asking.gather(2, _wide_index(index, width).unsqueeze(1))
    rows = F.scaled_dot_product_attention(
        asking, _rows(key, width), _rows(source, width), scale=1.0
    )[:, 0, :, : value.shape[1]]
    if receiving is not None:
        rows = _put(rows, index, value, receiving)
    return rows.transpose(1, 2).reshape(value.shape)


def _query_and_key(
    value: Tensor,
    feature: Tensor | None,
    sigma: float | Tensor | None,
    known: Tensor | None,
) -> tuple[Tensor, Tensor]:
    r"""Return queries and keys of A, each ``(N, channels, H, W)``.

    :math:`|s_j|^2` cancels in the softmax, so that A is the attention
    between queries :math:`(s_j/\sigma^2, 1, f_j)` and keys
    :math:`(s_i, -|s_i|^2/2\sigma^2, f_i)`. Fused attention applies it
    without a matrix of pixels × pixels.
    """
    n, _, height, width = value.shape
    bias = value.new_zeros((1, 1, height, width))
    queries, keys = [], []
    if sigma is not None:
        position = _centred_positions(height, width, value)
        if isinstance(sigma, Tensor):
            sigma = sigma.to(value)
        precision = 1 / sigma**2
        pull, bias = position * precision, position.square().sum(1, True)
        bias = bias * (-precision / 2)
        # Large numbers that nearly cancel come first and on a grid, so that
        # their sums are exact; what is left is small.
        coarse, fine = _split(pull)
        queries += [coarse, torch.ones_like(bias), fine]
        coarse, bias = _split(bias)
        keys += [position, coarse, position]
    queries.append(torch.ones_like(bias))
    if known is not None:
        bias = torch.where(known.unsqueeze(1), bias, EXCLUDED)
    keys.append(bias)
    if feature is not None:
        wide = feature.to(value.dtype)
        queries.append(wide)
        if known is not None:
            wide = wide.masked_fill(~known.unsqueeze(1), 0)
        keys.append(wide)
    return _joined(queries, n), _joined(keys, n)


def _split(number: Tensor) -> tuple[Tensor, Tensor]:
    """Return a multiple of 1/256, without gradient, and the rest."""
    coarse = (number.detach() * 256).round() / 256
    return coarse, number - coarse


def _joined(maps: list[Tensor], n: int) -> Tensor:
    return torch.cat([m.expand(n, -1, -1, -1) for m in maps], 1)


def _centred_positions(height: int, width: int, like: Tensor) -> Tensor:
    """Return s, ``(1, 2, H, W)``; small numbers lose little to rounding."""
    y = torch.arange(height, device=like.device, dtype=like.dtype)
    x = torch.arange(width, device=like.device, dtype=like.dtype)
    y, x = y - (height - 1) / 2, x - (width - 1) / 2
    return torch.stack(torch.meshgrid(y, x, indexing='ij')).unsqueeze(0)


def _rows(maps: Tensor, width: int) -> Tensor:
    """Turn maps into rows of one head, ``(N, 1, H W, width)``.

    Further channels are 0, which scores do not see.
    """
    flat = maps.flatten(2)
    missing = width - flat.shape[1]
    if missing:
        flat = F.pad(flat, (0, 0, 0, missing))
    return flat.transpose(1, 2).contiguous().unsqueeze(1)


def _first(chosen: Tensor) -> Tensor:
    """Return places of the true entries of ``(N, M)``, then of others.

    As many in each row as are true in the fullest.
    """
    most = int(chosen.sum(1).max())
    order = chosen.to(torch.uint8).argsort(dim=1, descending=True, stable=True)
    return order[:, :most]


def _wide_index(index: Tensor, width: int) -> Tensor:
    return index.unsqueeze(-1).expand(-1, -1, width)


def _put(
    rows: Tensor, index: Tensor, value: Tensor, receiving: Tensor
) -> Tensor:
    """Return rows ``(N, H W, K)`` of value with those at index replaced."""
    kept = value.flatten(2).transpose(1, 2)
    wide = _wide_index(index, value.shape[1])
    wanted = receiving.flatten(1).gather(1, index).unsqueeze(-1)
    rows = torch.where(wanted, rows, kept.gather(1, wide))
    return kept.scatter(1, wide, rows)


def _check(
    logits: Tensor,
    feature: Tensor | None,
    sigma: float | Tensor | None,
    known: Tensor | None,
    receiving: Tensor | None,
) -> None:
    if logits.ndim != 4:
        raise ValueError(
            f'expected logits (N, K, H, W), got {tuple(logits.shape)}'
        )
    n, _, height, width = logits.shape
    if feature is None and sigma is None:
        raise ValueError(
            'feature and sigma are both None: nothing is left to compare'
        )
    if feature is not None and (
        feature.ndim != 4
        or feature.shape[0] != n
        or feature.shape[2:] != logits.shape[2:]
    ):
        raise ValueError(
            f'expected feature ({n}, C, {height}, {width}), got '
            f'{tuple(feature.shape)}'
        )
    if isinstance(sigma, Tensor):
        if sigma.ndim:
            raise ValueError(
                'sigma must be a number or a 0-dim tensor, got shape '
                f'{tuple(sigma.shape)}'
            )
    elif sigma is not None and not (sigma > 0 and math.isfinite(sigma)):
        raise ValueError(f'sigma must be positive and finite, got {sigma}')
    for name, mask in (('known', known), ('receiving', receiving)):
        check_mask(name, mask, (n, height, width))
