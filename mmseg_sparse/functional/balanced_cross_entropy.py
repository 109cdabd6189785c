"""Cross entropy in which background and foreground have one vote each."""

import torch.nn.functional as F
from torch import Tensor

from .checks import check_labels, wide_dtype


def balanced_cross_entropy(
    logits: Tensor,
    labels: Tensor,
    *,
    background: int | None = 0,
    ignore_index: int = 255,
) -> Tensor:
    r"""Mean of two means: over background pixels, over foreground pixels.

    With :math:`B` the pixels labelled background and :math:`F` those with
    another label,

    .. math:: L = \frac12\Bigl(
        \frac1{|B|}\sum_{i\in B} -\log p_{i,y_i}
        + \frac1{|F|}\sum_{i\in F} -\log p_{i,y_i}\Bigr);

    a part without a pixel is 0. AFA's paper says "cross entropy"; this is
    the release.

    Args:
        logits: Scores before softmax, ``(N, C, H, W)``.
        labels: Class ids, int64 ``(N, H, W)``: ``[0, C)`` or
            ``ignore_index``.
        background: Index of the background. None: there is none, and the
            mean is over all labelled pixels.
        ignore_index: Id of a pixel without label.

    Returns:
        A scalar in nats, in float32 or the wider dtype of ``logits``; 0 with
        zero gradient where nothing is labelled.

    Raises:
        ValueError: If the shapes disagree.
    """
    check_labels(logits, labels)
    wide = logits.to(wide_dtype(logits))
    known = labels != ignore_index
    target = labels.masked_fill(~known, 0)  # 0 is masked below
    nll = F.cross_entropy(wide, target, reduction='none')
    if background is None:
        return _mean(nll, known)
    ground = known & (labels == background)
    return (_mean(nll, ground) + _mean(nll, known & ~ground)) / 2


def _mean(values: Tensor, counted: Tensor) -> Tensor:
    weight = counted.to(values.dtype)
    return (values * weight).sum() / weight.sum().clamp(min=1)
