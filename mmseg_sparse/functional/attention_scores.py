"""Symmetric affinities of tokens from a transformer's attention.

Source: AFA, eq. 1 and 3, and table 3.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from .attention import Attention


def symmetric_scores(
    layers: Sequence[Attention], weight: Tensor, *, scaled: bool = False
) -> Tensor:
    r"""Combine the scores of all heads and make the result symmetric, eq. 3.

    With :math:`S_h = Q_h K_h^T` the scores of head h, of all layers in turn,

    .. math:: A = \sum_h w_h \bigl(S_h + S_h^T\bigr),

    which is a 1×1 convolution over :math:`S + S^T` but for its bias. Eq. 1
    has :math:`S_h / \sqrt d`; the release takes the scores as they are. The
    heads' matrices are not made: their weighted sum is one product of the
    weighted queries and the keys, side by side.

    Args:
        layers: Recorded layers with as many queries as keys.
        weight: w, one number for each head of each layer, ``(heads,)``.
        scaled: Whether scores are divided by :math:`\sqrt d`.

    Returns:
        ``(N, M, M)``, in float32 or the wider dtype of the layers, also
        under autocast.

    Raises:
        ValueError: If there is no layer, attention is not square, or the
            number of weights is not that of the heads.
    """
    check_square(layers)
    queries = [layer.query for layer in layers]
    counts = [query.shape[1] for query in queries]
    if weight.shape != (sum(counts),):
        raise ValueError(
            f'expected a weight for each of {sum(counts)} heads '
            f'({len(layers)} layers of {" and ".join(map(str, counts))}), '
            f'got {tuple(weight.shape)}'
        )
    dtype = torch.promote_types(queries[0].dtype, torch.float32)
    rows, columns = [], []
    with torch.autocast(weight.device.type, enabled=False):
        parts = weight.to(dtype).split(counts)
        for layer, query, part in zip(layers, queries, parts, strict=True):
            factor = part * layer.scale if scaled else part
            rows.append(_side_by_side(query.to(dtype), factor))
            columns.append(_side_by_side(layer.key.to(dtype), None))
        scores = torch.cat(rows, 2) @ torch.cat(columns, 2).transpose(1, 2)
        return scores + scores.transpose(1, 2)


def mean_attention(layers: Sequence[Attention]) -> Tensor:
    """Average the attention matrices of all heads of all layers.

    Source: AFA, table 3, "prop. with MHSA".

    Args:
        layers: Recorded layers with as many queries as keys.

    Returns:
        ``(N, M, M)``; rows sum to 1.

    Raises:
        ValueError: If there is no layer or attention is not square.
    """
    check_square(layers)
    total = layers[0].dense().mean(1)
    for layer in layers[1:]:
        total = total + layer.dense().mean(1)
    return total / len(layers)


def check_square(layers: Sequence[Attention]) -> None:
    """Raise a ValueError unless all layers attend within one grid."""
    if not layers:
        raise ValueError('expected recorded layers of attention, got none')
    for layer in layers:
        if layer.query_hw != layer.key_hw:
            raise ValueError(
                'the attention of queries on a grid of '
                f'{_by(layer.query_hw)} to keys on {_by(layer.key_hw)} is '
                'not square: take a stage that does not reduce its keys '
                '(sr_ratio=1)'
            )
        if layer.query_hw != layers[0].query_hw:
            raise ValueError(
                'expected layers on one grid, got '
                f'{_by(layers[0].query_hw)} and {_by(layer.query_hw)}'
            )


def _by(hw: tuple[int, int]) -> str:
    return f'{hw[0]}x{hw[1]}'


def _side_by_side(tokens: Tensor, factor: Tensor | None) -> Tensor:
    """Turn ``(N, heads, M, d)``, each head times its factor, to rows."""
    if factor is not None:
        tokens = tokens * factor[:, None, None]
    return tokens.transpose(1, 2).flatten(2)
