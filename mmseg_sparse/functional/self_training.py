"""Labels that a model gives itself."""

import torch
from torch import Tensor


@torch.no_grad()
def self_training_labels(
    logits: Tensor,
    labels: Tensor,
    *,
    confidence: float = 0.9,
    valid: Tensor | None = None,
    ignore_index: int = 255,
) -> Tensor:
    r"""Label pixels by the prediction, where it is sure of itself.

    With :math:`p` the softmax of ``logits`` over all classes and :math:`Y_n`
    the classes among the labels of image :math:`n`, an unlabelled pixel
    :math:`i` gets :math:`\arg\max_{c\in Y_n} p_{c,i}` where that probability
    is at least ``confidence``, else none. Labels that are there stay.

    BLPSeg, section IV-B, sharpens the prediction into one-hot form and says
    no more; that absent classes are left out, the threshold and that
    scribbles override are its authors' release.

    Args:
        logits: Scores before softmax, ``(N, C, H, W)``.
        labels: Class ids, int64 ``(N, H, W)``: ``[0, C)`` or
            ``ignore_index``.
        confidence: The least probability, in ``[0, 1]``.
        valid: Bool ``(N, H, W)``; false is padding, which gets no label.
        ignore_index: Id of a pixel without label.

    Returns:
        int64 ``(N, H, W)``. An image without a label stays without.

    Raises:
        ValueError: If shapes disagree or ``confidence`` is out of range.
    """
    if logits.ndim != 4 or labels.shape != logits[:, 0].shape:
        raise ValueError(
            'expected logits (N, C, H, W) and labels (N, H, W), got '
            f'{tuple(logits.shape)}, {tuple(labels.shape)}'
        )
    if not 0 <= confidence <= 1:
        raise ValueError(f'confidence must lie in [0, 1], got {confidence}')
    if valid is not None and valid.shape != labels.shape:
        raise ValueError(
            f'expected valid of shape {tuple(labels.shape)}, got '
            f'{tuple(valid.shape)}'
        )
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    known = labels != ignore_index
    present = wide.new_zeros(logits.shape[:2])
    present.scatter_add_(
        1,
        labels.masked_fill(~known, 0).flatten(1),
        known.flatten(1).to(wide.dtype),
    )
    absent = (present == 0)[:, :, None, None]
    best, classes = wide.softmax(1).masked_fill(absent, -1.0).max(1)
    sure = best >= confidence
    if valid is not None:
        sure = sure & valid
    own = classes.masked_fill(~sure, ignore_index)
    return torch.where(known, labels, own)
