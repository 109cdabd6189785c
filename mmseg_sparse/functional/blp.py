"""BLPSeg's losses: where strokes are drawn, and rare labels first."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .checks import check_labels, check_mask, wide_dtype

NORMALIZERS = ('weights', 'labels')


def blp_loss(
    logits: Tensor,
    scribble_logits: Tensor,
    labels: Tensor,
    *,
    gamma: float = 2.0,
    normalizer: str = 'weights',
    detach_weight: bool = True,
    ignore_index: int = 255,
) -> Tensor:
    r"""Cross entropy that weighs labels down where they were expected.

    With :math:`\Omega_n` the labelled pixels of image :math:`n`, and
    :math:`p^{seg}` and :math:`p^{scrib}` the softmax of both logits at the
    label :math:`y_i` of a pixel,

    .. math::
        L = \frac1N \sum_n \frac{1}{Z_n} \sum_{i\in\Omega_n}
            \delta_i (-\log p^{seg}_i),\qquad
        \delta_i = (1 - p^{scrib}_i p^{seg}_i)^\gamma,

    where :math:`Z_n` is :math:`\sum_{\Omega_n}\delta_i` or
    :math:`|\Omega_n|`. An image without a label counts among the N with a
    loss of 0.

    Source: BLPSeg, eq. 9-11. The paper divides by the number of labels, and
    :math:`\delta` has a gradient there: ``normalizer='labels',
    detach_weight=False``. The defaults are its authors' release.

    Args:
        logits: Scores of K classes, ``(N, K, H, W)``.
        scribble_logits: Scores of the scribble branch, ``(N, K + 1, H, W)``,
            the last one for pixels without stroke.
        labels: Class ids, int64 ``(N, H, W)``: ``[0, K)`` or
            ``ignore_index``.
        gamma: Exponent :math:`\gamma`, at least 0.
        normalizer: :math:`Z`, ``'weights'`` or ``'labels'``.
        detach_weight: Whether :math:`\delta` is a constant for the gradient.
            Otherwise both logits get a gradient through it, and through
            :math:`Z` if that is the sum of the weights.
        ignore_index: Id of a pixel without label.

    Returns:
        A scalar in nats, in float32 or the wider dtype of ``logits``. With
        nothing labelled: 0, with zero gradient.

    Raises:
        ValueError: If shapes, ``gamma`` or ``normalizer`` are not as above.
    """
    check_labels(logits, labels)
    wanted = (logits.shape[0], logits.shape[1] + 1, *logits.shape[2:])
    if tuple(scribble_logits.shape) != wanted:
        raise ValueError(
            f'expected scribble_logits {wanted}, one class more than '
            f'logits, got {tuple(scribble_logits.shape)}'
        )
    return _modulated(
        logits, scribble_logits, labels, gamma, normalizer, detach_weight,
        ignore_index,
    )  # fmt: skip


def partial_focal_loss(
    logits: Tensor,
    labels: Tensor,
    *,
    gamma: float = 2.0,
    normalizer: str = 'labels',
    detach_weight: bool = True,
    ignore_index: int = 255,
) -> Tensor:
    r"""Focal loss over the labelled pixels: :math:`p^{scrib}=1`.

    :func:`blp_loss` with :math:`\delta_i = (1 - p^{seg}_i)^\gamma`. Source:
    the focal loss of BLPSeg's table II, as the end of section III-C has it.
    Lin et al.'s focal loss has a gradient through its factor:
    ``detach_weight=False``.

    Args:
        logits: Scores of K classes, ``(N, K, H, W)``.
        labels: Class ids, int64 ``(N, H, W)``: ``[0, K)`` or
            ``ignore_index``.
        gamma: Exponent :math:`\gamma`, at least 0.
        normalizer: :math:`Z`, ``'weights'`` or ``'labels'``.
        detach_weight: Whether :math:`\delta` is a constant for the gradient.
        ignore_index: Id of a pixel without label.

    Returns:
        A scalar in nats, in float32 or the wider dtype of ``logits``. With
        nothing labelled: 0, with zero gradient.

    Raises:
        ValueError: If shapes disagree, ``gamma`` is negative or
            ``normalizer`` unknown.
    """
    check_labels(logits, labels)
    return _modulated(
        logits, None, labels, gamma, normalizer, detach_weight, ignore_index
    )


def _modulated(
    logits: Tensor,
    scribble_logits: Tensor | None,
    labels: Tensor,
    gamma: float,
    normalizer: str,
    detach_weight: bool,
    ignore_index: int,
) -> Tensor:
    """Return eq. 9; without ``scribble_logits``, p_scrib is 1."""
    if not gamma >= 0:
        raise ValueError(f'gamma must be at least 0, got {gamma}')
    if normalizer not in NORMALIZERS:
        raise ValueError(
            f'normalizer must be in {NORMALIZERS}, got {normalizer!r}'
        )
    known = labels != ignore_index
    target = labels.masked_fill(~known, 0)
    nll = F.cross_entropy(_wide(logits), target, reduction='none')
    tiny = torch.finfo(nll.dtype).tiny
    with torch.set_grad_enabled(torch.is_grad_enabled() and not detach_weight):
        expected = nll
        if scribble_logits is not None:
            expected = nll + F.cross_entropy(
                _wide(scribble_logits), target, reduction='none'
            )
        # At a probability of 1 the power has no gradient if gamma < 1.
        weight = (1 - (-expected).exp()).clamp(min=tiny).pow(gamma)
        weight = torch.where(known, weight, 0)
        divisor = weight if normalizer == 'weights' else known.to(nll.dtype)
        # Where all weights are 0 so is the sum below.
        divisor = divisor.flatten(1).sum(1).clamp(min=tiny)
    # What is not finite where no label is stays out of the loss.
    nll = torch.where(known, nll, 0)
    return ((weight * nll).flatten(1).sum(1) / divisor).mean()


def annotation_loss(
    scribble_logits: Tensor,
    labels: Tensor,
    *,
    valid: Tensor | None = None,
    empty_weight: float = 0.02,
    ignore_index: int = 255,
) -> Tensor:
    r"""Weighted cross entropy over K classes and "no stroke here".

    With :math:`V` the valid pixels of the batch and :math:`y'_i` the label
    of a pixel, class K where it has none,

    .. math:: L = -\frac{1}{|V|} \sum_{i\in V} w_{y'_i}
                  \log p^{scrib}_{i,y'_i},

    :math:`w_K` = ``empty_weight`` and every other weight 1. Source: BLPSeg,
    eq. 1 and 2.

    Args:
        scribble_logits: Scores, ``(N, K + 1, H, W)``, the last one for
            pixels without stroke.
        labels: Class ids, int64 ``(N, H, W)``: ``[0, K)`` or
            ``ignore_index``.
        valid: Bool ``(N, H, W)``; false is padding, which is not "no
            stroke" and does not count. None: all valid.
        empty_weight: :math:`w_K`, at least 0.
        ignore_index: Id of a pixel without label.

    Returns:
        A scalar in nats, in float32 or the wider dtype of the logits; with
        nothing valid 0, with zero gradient.

    Raises:
        ValueError: If shapes disagree or ``empty_weight`` is negative.
    """
    check_labels(scribble_logits, labels, 'scribble_logits (N, K + 1, H, W)')
    if not empty_weight >= 0:
        raise ValueError(
            f'empty_weight must be at least 0, got {empty_weight}'
        )
    check_mask('valid', valid, labels.shape)
    if valid is None:
        valid = torch.ones_like(labels, dtype=torch.bool)
    empty = labels == ignore_index
    target = labels.masked_fill(empty, scribble_logits.shape[1] - 1)
    target = target.masked_fill(~valid, 0)
    nll = F.cross_entropy(_wide(scribble_logits), target, reduction='none')
    nll = torch.where(empty, empty_weight * nll, nll)
    nll = torch.where(valid, nll, 0)
    return nll.sum() / valid.sum().clamp(min=1)


def _wide(logits: Tensor) -> Tensor:
    return logits.to(wide_dtype(logits))
