"""Pseudo labels from activation maps and a constant background score.

Source: AFA, eq. 4.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .cam import check_maps


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


def check_background_scores(high: float, low: float) -> None:
    """Raise a ValueError unless 0 < low <= high < 1."""
    if not 0 < low <= high < 1:
        raise ValueError(
            'background scores must be 0 < low <= high < 1, got '
            f'low={low}, high={high}'
        )


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
