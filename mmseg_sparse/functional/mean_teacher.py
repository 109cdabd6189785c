r"""What a mean teacher's predictions become before a student learns from them.

A teacher, the moving average of the student's weights (Tarvainen and Valpola,
"Mean teachers are better role models", NeurIPS 2017), predicts the pixels
that nobody labelled. The functions here select what it is sure of, class by
class, and compare it with the student's logits.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .checks import check_maps


def random_boxes(
    shape: tuple[int, ...], probability: float, device: torch.device
) -> Tensor:
    """Draw a box in some images.

    Its area is 10 to 50 % of the image's and its sides are to each other as
    1 : 2 to 2 : 1, both drawn evenly; a side longer than the image's is as
    long as the image's.

    Args:
        shape: ``(N, H, W)``.
        probability: Probability that an image is given a box.
        device: Where the mask is wanted.

    Returns:
        Bool ``(N, H, W)``, true inside the boxes. What is drawn comes from
        torch's generator of the CPU.
    """
    _, height, width = shape
    boxes = torch.zeros(shape, dtype=torch.bool)
    for box in boxes:
        chosen, area, ratio, top, left = torch.rand(5).tolist()
        if chosen >= probability:
            continue
        pixels = (0.1 + 0.4 * area) * height * width
        ratio = 0.5 + 1.5 * ratio
        rows = min(height, round(math.sqrt(pixels * ratio)))
        columns = min(width, round(math.sqrt(pixels / ratio)))
        y = int(top * (height - rows + 1))
        x = int(left * (width - columns + 1))
        box[y : y + rows, x : x + columns] = True
    return boxes.to(device)


def mean_confidence(
    prob: Tensor, valid: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return how sure a prediction is of each class, and of how many pixels.

    Args:
        prob: Probabilities, ``(N, C, H, W)``.
        valid: Bool ``(N, H, W)``; false pixels do not count.

    Returns:
        The sum over the pixels whose best class is c of its probability,
        ``(C,)``, and the number of these pixels, ``(C,)``; both of the dtype
        of ``prob``, so that they can be summed over processes.
    """
    check_maps('prob', prob, valid)
    best, found = prob.max(1)
    weight = torch.ones_like(best) if valid is None else valid.to(best.dtype)
    total = prob.new_zeros(prob.shape[1])
    count = total.clone()
    total.index_add_(0, found.flatten(), (best * weight).flatten())
    count.index_add_(0, found.flatten(), weight.flatten())
    return total, count


def teacher_labels(
    prob: Tensor,
    threshold: Tensor,
    labels: Tensor,
    *,
    valid: Tensor | None = None,
    ignore_index: int = 255,
) -> Tensor:
    """Label pixels by the teacher's best class where it is sure of it.

    A pixel without label gets the best class c of ``prob`` where its
    probability is at least ``threshold[c]``. Pixels with a label get none:
    a stroke already supervises them.

    Args:
        prob: The teacher's probabilities, ``(N, C, H, W)``.
        threshold: The least probability of each class, ``(C,)``.
        labels: Class ids, ``(N, H, W)``, ``ignore_index`` where there is none.
        valid: Bool ``(N, H, W)``; false is padding, which gets no label.
        ignore_index: Id of a pixel without label.

    Returns:
        int64 ``(N, H, W)``.

    Raises:
        ValueError: If shapes disagree.
    """
    check_maps('prob', prob, valid)
    if labels.shape != prob[:, 0].shape or threshold.shape != prob.shape[1:2]:
        raise ValueError(
            'expected prob (N, C, H, W), threshold (C,) and labels '
            f'(N, H, W), got {tuple(prob.shape)}, {tuple(threshold.shape)} '
            f'and {tuple(labels.shape)}'
        )
    best, found = prob.max(1)
    sure = (best >= threshold[found]) & (labels == ignore_index)
    if valid is not None:
        sure = sure & valid
    return found.masked_fill(~sure, ignore_index)


def precision_counts(
    found: Tensor, dense: Tensor, classes: int, *, ignore_index: int = 255
) -> tuple[Tensor, Tensor]:
    """Count made labels, and those that agree with a dense mask.

    Their quotient is the precision of each class.

    Args:
        found: Labels, ``(N, H, W)``, ``ignore_index`` where there is none.
        dense: True classes, ``(N, H, W)``; pixels of ``ignore_index`` (void)
            do not count.
        classes: Number of classes C.
        ignore_index: Id of a pixel without label.

    Returns:
        The numbers of correct labels and of all labels, int64, ``(C,)`` each.

    Raises:
        ValueError: If the shapes disagree.
    """
    if found.shape != dense.shape:
        raise ValueError(
            'expected labels and dense masks of one shape, got '
            f'{tuple(found.shape)} and {tuple(dense.shape)}'
        )
    counted = (found != ignore_index) & (dense != ignore_index)
    right = counted & (found == dense)
    one = found.masked_fill(~counted, 0)
    sums = [
        torch.zeros(classes, dtype=torch.int64, device=found.device)
        .index_add_(0, one.flatten(), mask.flatten().long())
        for mask in (right, counted)
    ]  # fmt: skip
    return sums[0], sums[1]


def teacher_loss(
    logits: Tensor,
    prob: Tensor,
    sure: Tensor,
    *,
    soft: bool = True,
) -> Tensor:
    r"""Return the cross entropy of the student with the teacher.

    :math:`-\frac{1}{\max(1, |S|)} \sum_{i \in S} \sum_c q_{i,c}
    \log p_{i,c}` with :math:`p` the softmax of ``logits``, :math:`S` the
    pixels of ``sure``, and :math:`q` the teacher's probabilities or, with
    ``soft=False``, 1 for its best class.

    Args:
        logits: The student's scores, ``(N, C, H, W)``.
        prob: The teacher's probabilities, of the same shape.
        sure: Bool ``(N, H, W)``.
        soft: Whether the teacher's probabilities are the target.

    Returns:
        A scalar; 0, with gradient 0, where no pixel is sure.
    """
    log = F.log_softmax(logits, 1)
    if soft:
        pixel = -(prob * log).sum(1)
    else:
        pixel = F.nll_loss(log, prob.argmax(1), reduction='none')
    weight = sure.to(pixel.dtype)
    return (pixel * weight).sum() / weight.sum().clamp(min=1)
