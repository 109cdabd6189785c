"""Labels that a model makes of activation maps, and the filter by tags.

Source: AFA, eq. 4, for activation maps and a constant background score; TRL,
section 3.2, for the filter.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .checks import check_maps

#: Logit of a class that is absent.
ABSENT = -30_000.0


def with_background(
    cam: Tensor,
    present: Tensor,
    score: float | None,
    *,
    softmax: bool = True,
) -> tuple[Tensor, Tensor]:
    """Put a constant background map before the maps of the classes.

    Args:
        cam: ``(N, K, H, W)`` in [0, 1].
        present: ``(N, K)``, true or above 0 for classes of the image.
        score: The background score. None: there is no background, whose
            map is 0 and not present.
        softmax: Whether scores become probabilities, by a softmax over the
            background and the present classes.

    Returns:
        The maps, ``(N, K + 1, H, W)``, 0 for absent classes, and which are
        present, bool ``(N, K + 1)``.

    Raises:
        ValueError: If shapes disagree.
    """
    _check_present(cam, present)
    maps = F.pad(cam, (0, 0, 0, 0, 1, 0), value=score or 0.0)
    shown = F.pad(present > 0, (1, 0), value=score is not None)
    absent = ~shown[:, :, None, None]
    if softmax:
        maps = maps.masked_fill(absent, -math.inf).softmax(1)
    return maps.masked_fill(absent, 0), shown  # NaN where none is present


def labels_from_scores(
    cam: Tensor,
    present: Tensor,
    *,
    high: float,
    low: float,
    background: int | None = 0,
    valid: Tensor | None = None,
    ignore_index: int = 255,
) -> Tensor:
    r"""Label pixels by the best class, two scores telling how sure, eq. 4.

    With M the best score among the present classes, a pixel has that class
    where :math:`M \ge \beta_h`, the background where :math:`M \le \beta_l`,
    and no label in between.

    Args:
        cam: Scores of the foreground classes in [0, 1], ``(N, K, H, W)``.
        present: ``(N, K)``, true or above 0 for classes of the image.
        high: :math:`\beta_h`.
        low: :math:`\beta_l`, at most ``high``.
        background: Index of the background among all K + 1 classes. None:
            there is none, the K classes are all; then pixels not above
            ``high`` have no label.
        valid: Bool ``(N, H, W)``; false is padding, which gets no label.
        ignore_index: Id of a pixel without label.

    Returns:
        int64 ``(N, H, W)``.

    Raises:
        ValueError: If shapes disagree or the scores are out of order.
    """
    _check_present(cam, present)
    check_maps('cam', cam, valid)
    check_background_scores(high, low)
    absent = ~(present > 0)[:, :, None, None]
    best, found = cam.masked_fill(absent, -math.inf).max(1)
    ids = _class_ids(cam.shape[1], background, ignore_index, cam.device)
    labels = ids[found + 1].masked_fill(best < high, ignore_index)
    labels = torch.where((best <= low) & (best < high), ids[0], labels)
    return _inside(labels, valid, ignore_index)


def labels_from_two_scores(
    high: Tensor,
    low: Tensor,
    present: Tensor,
    *,
    background: int | None = 0,
    valid: Tensor | None = None,
    ignore_index: int = 255,
) -> Tensor:
    """Label pixels from maps that were refined with two background scores.

    Where the maps of the higher score have a class best, that is the label.
    Where they say background, so does the label if those of the lower score
    agree; else there is none. This is the release's form of eq. 4, and equal
    to it (but for ties) where nothing was refined.

    Args:
        high: ``(N, K + 1, H, W)``, the background first, made with the
            higher background score.
        low: Likewise with the lower.
        present: Bool ``(N, K + 1)``, as :func:`with_background` returns it.
        background: As in :func:`labels_from_scores`.
        valid: Bool ``(N, H, W)``; false is padding, which gets no label.
        ignore_index: Id of a pixel without label.

    Returns:
        int64 ``(N, H, W)``.

    Raises:
        ValueError: If shapes disagree.
    """
    if high.shape != low.shape:
        raise ValueError(
            'expected high and low of one shape, got '
            f'{tuple(high.shape)} and {tuple(low.shape)}'
        )
    sure = _best(high, present)
    both = (sure == 0) & (_best(low, present) == 0)
    ids = _class_ids(high.shape[1] - 1, background, ignore_index, high.device)
    labels = ids[sure].masked_fill(sure == 0, ignore_index)
    labels = torch.where(both, ids[0], labels)
    check_maps('high', high, valid)
    return _inside(labels, valid, ignore_index)


def labels_from_margin(
    scores: Tensor,
    present: Tensor,
    *,
    keep: float,
    valid: Tensor | None = None,
    ignore_index: int = 255,
) -> Tensor:
    r"""Label the surest pixels of each class, where there is no background.

    The margin of a pixel is how far its best present class is above the next
    one. Among the pixels of an image where class c is the best, let
    :math:`t_c` be the :math:`\lceil k n_c\rceil` th largest of their
    :math:`n_c` margins; those with a margin of at least :math:`t_c` become
    labels, if it is above 0. Each class so keeps the share k of what it has,
    however low its scores are beside those of others.

    Where an image shows a single class, all of it is that class. Not in AFA,
    whose data have a background that is a class of its own.

    Args:
        scores: ``(N, K + 1, H, W)``; the first map, which would be the
            background's, is left out.
        present: Bool ``(N, K + 1)``, as :func:`with_background` returns it.
        keep: The share k, in (0, 1].
        valid: Bool ``(N, H, W)``; false is padding, which gets no label.
        ignore_index: Id of a pixel without label.

    Returns:
        int64 ``(N, H, W)``; no label in an image without a class.

    Raises:
        ValueError: If shapes disagree or ``keep`` is out of range.
    """
    check_maps('scores', scores, valid)
    _check_present(scores, present)
    if not 0 < keep <= 1:
        raise ValueError(f'keep must lie in (0, 1], got {keep}')
    shown = present[:, 1:] > 0
    best, margin = _best_by_margin(scores[:, 1:], shown)
    counted = shown.any(1)[:, None, None].expand_as(best)
    if valid is not None:
        counted = counted & valid
    # Each class of each image is a group; what does not count is the last.
    size = shown.shape[1]
    first = size * torch.arange(len(best), device=best.device)
    group = (best + first[:, None, None]).masked_fill(~counted, shown.numel())
    flat = group.flatten()
    order = margin.flatten().argsort(descending=True)
    order = order[flat[order].argsort(stable=True)]
    number = torch.bincount(flat, minlength=shown.numel() + 1)
    # A share such as 0.1 is no binary fraction: 0.1 * 10 may exceed 1.
    wanted = torch.ceil(number.double() * keep - 1e-9).long().clamp(min=1)
    last = (number.cumsum(0) - number + wanted - 1).clamp(max=len(order) - 1)
    least = margin.flatten()[order[last]]
    sure = counted & (margin >= least[group]) & (margin > 0)
    return best.masked_fill(~sure, ignore_index)


def labels_from_best(
    scores: Tensor,
    present: Tensor,
    *,
    background: int | None = 0,
    valid: Tensor | None = None,
    ignore_index: int = 255,
) -> Tensor:
    """Label each pixel by the best of the present classes.

    Args:
        scores: ``(N, K + 1, H, W)``, the background first.
        present: Bool ``(N, K + 1)``, as :func:`with_background` returns it.
        background: As in :func:`labels_from_scores`; None: the first map is
            left out, and an image without a class gets no label.
        valid: Bool ``(N, H, W)``; false is padding, which gets no label.
        ignore_index: Id of a pixel without label.

    Returns:
        int64 ``(N, H, W)``.

    Raises:
        ValueError: If shapes disagree.
    """
    check_maps('scores', scores, valid)
    if background is None:
        anything = present[:, 1:].any(1, keepdim=True)
        present = torch.cat([~anything, present[:, 1:]], 1)
    ids = _class_ids(
        scores.shape[1] - 1, background, ignore_index, scores.device
    )
    return _inside(ids[_best(scores, present)], valid, ignore_index)


def filter_classes(
    prob: Tensor, tags: Tensor, *, background: int | None = 0
) -> Tensor:
    """Set the maps of absent classes to zero, and keep the background's.

    What is left is not normalised again. Source: TRL, section 3.2.

    Args:
        prob: Probabilities or heat maps, at least 0, ``(N, C, H, W)``.
        tags: Which classes an image shows: true or above 0. ``(N, C - 1)``,
            the background left out, or ``(N, C)`` without a background.
        background: Index of the background; None: there is none.

    Returns:
        Maps of the same shape and dtype. An image without tags keeps its
        background alone.

    Raises:
        ValueError: If shapes disagree or there is no such background.
    """
    return prob.masked_fill(~_shown(prob, tags, background), 0)


def filter_class_logits(
    logits: Tensor, tags: Tensor, *, background: int | None = 0
) -> Tensor:
    """Do to logits what :func:`filter_classes` does to probabilities.

    Absent classes get -30000, whose softmax is 0 beside any logit of a
    network, and which stays a number, unlike minus infinity, when it is
    resized, averaged or written in float16.

    Args:
        logits: Scores before softmax, ``(N, C, H, W)``.
        tags: As in :func:`filter_classes`.
        background: As in :func:`filter_classes`.

    Returns:
        Logits of the same shape and dtype. Without background and tags, all
        classes are equally likely.

    Raises:
        ValueError: As :func:`filter_classes`.
    """
    return logits.masked_fill(~_shown(logits, tags, background), ABSENT)


def _shown(maps: Tensor, tags: Tensor, background: int | None) -> Tensor:
    """Return which classes stay, bool ``(N, C, 1, 1)``."""
    check_maps('maps', maps, None)
    count, classes = maps.shape[:2]
    if background is not None and not 0 <= background < classes:
        raise ValueError(
            f'background must be None or one of {classes} classes, got '
            f'{background}'
        )
    want = (count, classes - (background is not None))
    if tuple(tags.shape) != want:
        raise ValueError(
            f'expected tags {want} for maps {tuple(maps.shape)} and '
            f'background={background}, got {tuple(tags.shape)}'
        )
    shown = tags > 0
    if background is not None:
        before, after = shown[:, :background], shown[:, background:]
        shown = torch.cat([F.pad(before, (0, 1), value=True), after], 1)
    return shown[:, :, None, None]


def check_background_scores(high: float, low: float) -> None:
    """Raise a ValueError unless 0 < low <= high < 1."""
    if not 0 < low <= high < 1:
        raise ValueError(
            'background scores must be 0 < low <= high < 1, got '
            f'low={low}, high={high}'
        )


def _best_by_margin(scores: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    """Return the best present class and how far it is above the next.

    Args:
        scores: ``(N, K, H, W)``.
        present: Bool ``(N, K)``.

    Returns:
        Two maps ``(N, H, W)``; the margin is 1 where no other class is.
    """
    absent = ~present[:, :, None, None]
    among = scores.masked_fill(absent, -math.inf)
    best, classes = among.max(1)
    rest = among.scatter(1, classes.unsqueeze(1), -math.inf).amax(1)
    margin = torch.where(rest == -math.inf, 1.0, best - rest)
    return classes, margin


def _best(scores: Tensor, present: Tensor) -> Tensor:
    """Return the best present class of each pixel, ``(N, H, W)``."""
    _check_present(scores, present)
    absent = ~(present > 0)[:, :, None, None]
    return scores.masked_fill(absent, -math.inf).argmax(1)


def _class_ids(
    classes: int, background: int | None, ignore_index: int,
    device: torch.device,
) -> Tensor:  # fmt: skip
    """Return the class id of the background and of each foreground map."""
    if background is None:
        ids = [ignore_index, *range(classes)]
    elif 0 <= background <= classes:
        foreground = [i for i in range(classes + 1) if i != background]
        ids = [background, *foreground]
    else:
        raise ValueError(
            f'background must lie in [0, {classes}], got {background}'
        )
    return torch.tensor(ids, device=device)


def _inside(labels: Tensor, valid: Tensor | None, ignore_index: int) -> Tensor:
    return (
        labels if valid is None else labels.masked_fill(~valid, ignore_index)
    )


def _check_present(maps: Tensor, present: Tensor) -> None:
    if maps.ndim != 4 or present.shape != maps.shape[:2]:
        raise ValueError(
            'expected maps (N, K, H, W) and present (N, K), got '
            f'{tuple(maps.shape)} and {tuple(present.shape)}'
        )
