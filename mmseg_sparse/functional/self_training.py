"""Labels that a model gives itself where it is sure of its prediction."""

import torch
from torch import Tensor

from .checks import check_labels, check_shape, wide_dtype
from .mean_teacher import mean_confidence


@torch.no_grad()
def self_training_labels(
    logits: Tensor,
    labels: Tensor,
    *,
    confidence: float | tuple[float, float] = 0.9,
    candidates: Tensor | None = None,
    present: Tensor | None = None,
    valid: Tensor | None = None,
    ignore_index: int = 255,
) -> Tensor:
    r"""Label pixels by the prediction, where it is sure of itself.

    With :math:`p` the softmax of ``logits`` over all classes and :math:`Y_n`
    the classes of image :math:`n`, an unlabelled pixel :math:`i` gets
    :math:`c_i = \arg\max_{c\in Y_n} p_{c,i}` if its probability is at least
    :math:`t_{c_i}`, else no label. Labels that are there stay.

    :math:`t_c` is ``confidence``. If that is a pair, it is the mean of
    :math:`p_{c,i}` over the unlabelled pixels of the batch with
    :math:`c_i = c`, but at least the first and at most the second number.

    BLPSeg, section IV-B, makes the prediction one-hot and says no more:
    ``confidence=0`` and ``present`` of ones. The rest is its authors' release,
    but for the thresholds of classes.

    Args:
        logits: Scores before softmax, ``(N, C, H, W)``.
        labels: Class ids, int64 ``(N, H, W)``: ``[0, C)`` or
            ``ignore_index``.
        confidence: One probability in ``[0, 1]`` or two.
        candidates: Bool ``(N, H, W)``, pixels that may get a label; None: all.
        present: Bool ``(N, C)``, :math:`Y_n`; None: classes among the labels.
        valid: Bool ``(N, H, W)``; false is padding, which gets no label.
        ignore_index: Id of a pixel without label.

    Returns:
        int64 ``(N, H, W)``. An image without a class stays without labels.

    Raises:
        ValueError: If shapes disagree or ``confidence`` is out of range.
    """
    check_labels(logits, labels)
    check_shape('valid', valid, labels.shape)
    check_shape('candidates', candidates, labels.shape)
    low, high = check_confidence(confidence)
    wide = logits.to(wide_dtype(logits))
    known = labels != ignore_index
    if present is None:
        present = classes_among(labels, logits.shape[1], ignore_index)
    check_shape('present', present, logits.shape[:2])
    prob = wide.softmax(1).masked_fill(~present[:, :, None, None], -1.0)
    asked = ~known & present.any(1)[:, None, None]
    for mask in (valid, candidates):
        if mask is not None:
            asked = asked & mask
    best, classes = prob.max(1)
    total, count = mean_confidence(prob, asked)
    least = (total / count.clamp(min=1)).clamp(low, high)
    sure = asked & (best >= least[classes])
    return torch.where(known, labels, classes.masked_fill(~sure, ignore_index))


def classes_among(
    labels: Tensor, classes: int, ignore_index: int = 255
) -> Tensor:
    """Return which classes occur among the labels of each image.

    Args:
        labels: Class ids, int64 ``(N, H, W)``: ``[0, classes)`` or
            ``ignore_index``.
        classes: Number of classes C.
        ignore_index: Id of a pixel without label.

    Returns:
        Bool ``(N, C)``.
    """
    known = (labels != ignore_index).flatten(1)
    found = known.new_zeros((len(labels), classes), dtype=torch.int64)
    found.scatter_add_(
        1, labels.flatten(1).masked_fill(~known, 0), known.long()
    )
    return found > 0


def check_confidence(
    confidence: float | tuple[float, float],
) -> tuple[float, float]:
    """Return the smallest and the largest threshold, or raise a ValueError."""
    pair = confidence
    if isinstance(pair, int | float):
        pair = (pair, pair)
    if len(pair) != 2 or not 0 <= pair[0] <= pair[1] <= 1:
        raise ValueError(
            'confidence must lie in [0, 1], or be two such numbers in rising '
            f'order, got {confidence}'
        )
    return float(pair[0]), float(pair[1])
