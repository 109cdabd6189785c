"""A transformer's attention as a propagation operator, and its affinity loss.

Source: "SASFormer", eq. 2-7, for the loss of
:func:`attention_affinity`; AFA, eq. 1 and 3, and table 3, for the symmetric
affinities of :func:`symmetric_scores` and :func:`mean_attention`.

Deviations of :func:`attention_affinity`: equation 7 averages over the stages
and does not say which positions count, and probabilities are resized to the
stages' grids; the authors' release sums over the stages, counts unlabelled
positions only, and resizes logits before the softmax, which are the defaults
here. Labels and ``valid`` are resized by nearest neighbour. Padding neither
counts nor is attended to: attention to padded keys goes to the others in
proportion. ``uniform``, attention to all keys alike in place of the recorded
attention, is a control that the paper does not have; then no gradient reaches
queries and keys. ``align`` says where queries and keys are taken to be:
``'extent'``, spread over the image, as in the release, or ``'centers'``, at
``query_centers`` and ``key_centers``. The logits are spread over the image in
either case: that is how their loss resizes them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from .checks import check_shape, wide_dtype
from .token_centers import ALIGNMENTS, Centers, sample_linear, sample_nearest

DISTANCES = ('l1', 'l2', 'kl', 'ce')
STAGE_REDUCTIONS = ('sum', 'mean')
RESIZED = ('logits', 'prob')


@dataclass(frozen=True, eq=False)
class Attention:
    r"""The attention of one transformer layer, kept as its factors.

    With queries Q and keys K, a head of the layer has the attention matrix
    :math:`A = \mathrm{softmax}(s\,Q K^T)`, eq. 2 of SASFormer. Only Q and K
    are kept, or what they are made of; gradients flow into both.

    Args:
        query: Projected queries, ``(N, heads, M, d)``.
        key: Projected keys, ``(N, heads, M', d)``.
        scale: The factor s on the scores, :math:`1/\sqrt d` as a rule.
        query_hw: Height and width of the query grid, M = height x width.
        key_hw: Height and width of the key grid, M' = height x width.
        query_centers: Where the queries of each axis are centred in the
            image, if that is known.
        key_centers: Likewise the keys.

    Raises:
        ValueError: If the shapes do not agree with each other.
    """

    query: Tensor
    key: Tensor
    scale: float
    query_hw: tuple[int, int]
    key_hw: tuple[int, int]
    query_centers: Centers | None = None
    key_centers: Centers | None = None

    def __post_init__(self) -> None:
        """Check the shapes."""
        query, key = tuple(self.query.shape), tuple(self.key.shape)
        if len(query) != 4 or len(key) != 4 or query[:2] != key[:2]:
            raise ValueError(
                "expected query (N, heads, M, d) and key (N, heads, M', d), "
                f'got {query} and {key}'
            )
        for name, shape, hw in (
            ('query', query, self.query_hw),
            ('key', key, self.key_hw),
        ):
            if shape[2] != hw[0] * hw[1]:
                raise ValueError(
                    f'{name}_hw={tuple(hw)} stands for {hw[0] * hw[1]} '
                    f'tokens, but {name} has {shape[2]}'
                )
        if query[3] != key[3]:
            raise ValueError(
                f'query has {query[3]} channels a head, key has {key[3]}'
            )

    def dense(self) -> Tensor:
        """Return the attention matrices, ``(N, heads, M, M')``.

        Their size is what the rest of this module avoids: meant for tests
        and pictures.
        """
        scores = self.query @ self.key.transpose(-2, -1) * self.scale
        return scores.softmax(-1)

    def propagate(
        self, values: Tensor, *, valid: Tensor | None = None
    ) -> Tensor:
        """Average values by attention, mean over heads: ``A @ values``.

        Fused attention computes it in memory linear in M and M' (on CPU
        with a mask, from torch 2.3 on).

        Args:
            values: One row a key, ``(N, M', C)``.
            valid: Keys that take part, bool ``(N, M')``; the attention of
                the others goes to those in proportion. Each image needs one.

        Returns:
            One row a query, ``(N, M, C)``, in float32 or the wider dtype of
            the inputs, also under autocast.

        Raises:
            ValueError: If ``values`` or ``valid`` do not fit the keys.
        """
        query, key = self.query, self.key  # of a recorded layer: made here
        n, heads, m_key, d = key.shape
        if values.ndim != 3 or values.shape[:2] != (n, m_key):
            raise ValueError(
                f'expected values ({n}, {m_key}, C), got {tuple(values.shape)}'
            )
        check_shape('valid', valid, (n, m_key))
        dtype = wide_dtype(query, values)
        channels = values.shape[2]
        # The fused CPU kernel wants equal head sizes for q, k and v, the
        # CUDA ones a multiple of 8.
        width = -(-max(d, channels) // 8) * 8
        with torch.autocast(values.device.type, enabled=False):
            value = _widen(values.to(dtype), width)
            out = F.scaled_dot_product_attention(
                _widen(query.to(dtype), width),
                _widen(key.to(dtype), width),
                value.unsqueeze(1).expand(n, heads, m_key, width),
                attn_mask=None if valid is None else valid[:, None, None],
                scale=self.scale,
            )
            return out[..., :channels].mean(1)


def attention_affinity(
    logits: Tensor,
    stages: Sequence[Sequence[Attention]],
    labels: Tensor,
    *,
    distance: str = 'l1',
    labeled: bool = False,
    stage_reduction: str = 'sum',
    resize: str = 'logits',
    uniform: bool = False,
    align: str = 'extent',
    ignore_index: int = 255,
    valid: Tensor | None = None,
) -> Tensor:
    r"""Distance between a prediction and its propagation by attention.

    For stage l with attention :math:`A_l`, the mean over the heads and the
    layers of the stage, and the prediction P on its queries and P' on its
    keys, let :math:`Y^* = \mathrm{softmax}(A_l P')` and
    :math:`P^* = \mathrm{softmax}(P)`, over the classes (P, a probability, is
    normalised once more). The loss of a stage is the mean over its counted
    queries of :math:`\sum_c |Y^* - P^*|` (``'l1'``),
    :math:`\sum_c (Y^* - P^*)^2` (``'l2'``),
    :math:`\sum_c Y^* \log (Y^* / P^*)` (``'kl'``) or
    :math:`-\sum_c Y^* \log P^*` (``'ce'``). Source and deviations: above.

    Args:
        logits: Scores before softmax, ``(N, C, h, w)``, any resolution.
        stages: The recorded layers of each stage.
        labels: Class ids, int64 ``(N, H, W)``, or ``ignore_index``.
        distance: ``'l1'``, ``'l2'``, ``'kl'`` or ``'ce'``.
        labeled: Count labelled positions as well.
        stage_reduction: ``'sum'`` or ``'mean'`` over the stages.
        resize: ``'logits'`` or ``'prob'``: what is resized, bilinearly.
        uniform: Take :math:`A_l = 1 / M'` as a control.
        align: ``'extent'`` or ``'centers'``: positions of the tokens.
        ignore_index: Id of an unlabelled pixel.
        valid: Bool ``(N, H, W)``, false in padding. None: no padding.

    Returns:
        A scalar, in float32 or the wider dtype of ``logits``; 0 with zero
        gradient where no position counts.

    Raises:
        ValueError: If shapes disagree, a stage has no layer or layers on
            different grids, or an option is none of those named.
    """
    _check_options(distance, stage_reduction, resize, align)
    _check_inputs(logits, stages, labels, valid)
    if valid is None:
        valid = torch.ones_like(labels, dtype=torch.bool)
    counted = valid if labeled else valid & (labels == ignore_index)
    grids = [_grids(layers, align) for layers in stages]
    used = [() for _ in stages] if uniform else stages
    with torch.autocast(logits.device.type, enabled=False):
        losses = _losses(logits, used, grids, valid, counted, distance, resize)
        return losses.sum() if stage_reduction == 'sum' else losses.mean()


def _losses(
    logits: Tensor,
    stages: Sequence[Sequence[Attention]],
    grids: Sequence[tuple['_Grid', '_Grid']],
    valid: Tensor,
    counted: Tensor,
    distance: str,
    resize: str,
) -> Tensor:
    """Return the loss of each stage; both masks are ``(N, H, W)``."""
    wide = logits.to(wide_dtype(logits))
    size = (valid.shape[1], valid.shape[2])
    # In the same order in every process, which a set's is not: gradients of
    # the logits are summed in it.
    every = dict.fromkeys(grid for pair in grids for grid in pair)
    probs = {grid: _resized_prob(wide, grid, resize, size) for grid in every}
    losses = []
    for layers, (query, key) in zip(stages, grids, strict=True):
        known = _nearest(valid, key)
        known = known | ~known.any(1, keepdim=True)  # without any: all
        # Without a checkpoint, the propagated rows of all layers would wait
        # for the backward pass, at the peak of a training step's memory.
        losses.append(
            checkpoint(
                _stage_loss,
                layers,
                probs[query],
                probs[key],
                known,
                _nearest(counted, query),
                distance,
                use_reentrant=False,
                preserve_rng_state=False,
            )
        )
    return torch.stack(losses)


def _stage_loss(
    layers: Sequence[Attention],
    prob: Tensor,
    key_prob: Tensor,
    known: Tensor,
    counted: Tensor,
    distance: str,
) -> Tensor:
    """Return the loss of a stage, a scalar.

    Args:
        layers: The stage's layers; none: attention is uniform.
        prob: Prediction on the queries, ``(N, C, M)``.
        key_prob: Prediction on the keys, ``(N, C, M')``.
        known: Keys attended to, bool ``(N, M')``.
        counted: Queries that count, bool ``(N, M)``.
        distance: As in :func:`attention_affinity`.
    """
    rows = key_prob.transpose(1, 2)
    if layers:
        propagated = torch.stack(
            [layer.propagate(rows, valid=known) for layer in layers]
        ).mean(0)
    else:
        share = known.to(rows.dtype) / known.sum(1, keepdim=True)
        mean = share.unsqueeze(1) @ rows
        propagated = mean.expand(-1, prob.shape[2], -1)
    loss = _distance(propagated.transpose(1, 2), prob, distance)
    weight = counted.to(loss.dtype)
    return (loss * weight).sum() / weight.sum().clamp(min=1)


def _widen(rows: Tensor, width: int) -> Tensor:
    """Pad the last dimension with zeros, which scores do not see."""
    missing = width - rows.shape[-1]
    return F.pad(rows, (0, missing)) if missing else rows


class _Grid(NamedTuple):
    """The tokens that a stage's queries or keys are.

    Attributes:
        hw: Height and width.
        centers: Where they are centred; None: spread over the image.
    """

    hw: tuple[int, int]
    centers: Centers | None

    def places(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return the pixels of rows and columns, for known centres."""
        assert self.centers is not None
        rows, columns = (self.centers.positions(n, device) for n in self.hw)
        return rows, columns


def _grids(layers: Sequence[Attention], align: str) -> tuple[_Grid, _Grid]:
    """Return the grids of a stage's queries and keys."""
    layer = layers[0]
    if align == 'extent':
        return _Grid(layer.query_hw, None), _Grid(layer.key_hw, None)
    if layer.query_centers is None or layer.key_centers is None:
        raise ValueError(
            "align='centers' needs layers with query_centers and key_centers, "
            "got layers without: set align='extent'"
        )
    return (
        _Grid(layer.query_hw, layer.query_centers),
        _Grid(layer.key_hw, layer.key_centers),
    )


def _resized_prob(
    logits: Tensor, grid: _Grid, resize: str, size: tuple[int, int]
) -> Tensor:
    """Return probabilities on a grid, ``(N, C, M)``, in images of a size."""
    scores = logits if resize == 'logits' else logits.softmax(1)
    if grid.centers is None:
        small = F.interpolate(
            scores, grid.hw, mode='bilinear', align_corners=False
        )
    else:
        rows, columns = (
            (places + 0.5) * count / side - 0.5
            for places, count, side in zip(
                grid.places(logits.device), logits.shape[2:], size, strict=True
            )
        )
        small = sample_linear(scores, rows, columns)
    small = small.flatten(2)
    return small.softmax(1) if resize == 'logits' else small


def _nearest(mask: Tensor, grid: _Grid) -> Tensor:
    """Resize a bool mask ``(N, H, W)`` to a grid, ``(N, M)``."""
    if grid.centers is not None:
        return sample_nearest(mask, *grid.places(mask.device)).flatten(1)
    small = F.interpolate(
        mask[:, None].to(torch.float32), grid.hw, mode='nearest'
    )
    return small.flatten(1) > 0.5


def _distance(propagated: Tensor, prob: Tensor, distance: str) -> Tensor:
    """Compare ``(N, C, M)`` after the softmax of eq. 5 and 6, ``(N, M)``.

    The classes lie in dimension 1, where softmax is several times faster
    than over a short last dimension.
    """
    y, p = propagated.softmax(1), prob.softmax(1)
    if distance == 'l1':
        return (y - p).abs().sum(1)
    if distance == 'l2':
        return (y - p).square().sum(1)
    log_p = prob.log_softmax(1)
    if distance == 'kl':
        return (y * (propagated.log_softmax(1) - log_p)).sum(1)
    return -(y * log_p).sum(1)


def _check_options(
    distance: str, stage_reduction: str, resize: str, align: str
) -> None:
    if align not in ALIGNMENTS:
        raise ValueError(f'align must be in {ALIGNMENTS}, got {align!r}')
    if distance not in DISTANCES:
        raise ValueError(f'distance must be in {DISTANCES}, got {distance!r}')
    if stage_reduction not in STAGE_REDUCTIONS:
        raise ValueError(
            f'stage_reduction must be in {STAGE_REDUCTIONS}, got '
            f'{stage_reduction!r}'
        )
    if resize not in RESIZED:
        raise ValueError(f'resize must be in {RESIZED}, got {resize!r}')


def _check_inputs(
    logits: Tensor,
    stages: Sequence[Sequence[Attention]],
    labels: Tensor,
    valid: Tensor | None,
) -> None:
    if (
        logits.ndim != 4
        or labels.ndim != 3
        or labels.shape[0] != logits.shape[0]
    ):
        raise ValueError(
            'expected logits (N, C, h, w) and labels (N, H, W), got '
            f'{tuple(logits.shape)} and {tuple(labels.shape)}'
        )
    check_shape('valid', valid, labels.shape)
    if not stages:
        raise ValueError('expected at least one stage, got none')
    for index, layers in enumerate(stages):
        if not layers:
            raise ValueError(f'entry {index} of stages holds no layer')
        grids = {(layer.query_hw, layer.key_hw) for layer in layers}
        if len(grids) != 1:
            raise ValueError(
                'expected the layers of a stage to share one query and one '
                f'key grid, got {sorted(grids)} in entry {index} of stages'
            )


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
    dtype = wide_dtype(queries[0])
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
