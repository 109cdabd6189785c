"""Image tags from a dense mask."""

import numpy as np
from numpy.typing import NDArray

from .regions import Labels, check_labels, check_shares


def simulate_tags(
    labels: Labels,
    *,
    num_classes: int,
    background: int | None = None,
    min_share: float = 0.0,
    ignore_index: int = 255,
) -> NDArray[np.float32]:
    """Return which classes an image shows.

    Args:
        labels: Dense mask, ``(H, W)`` of ``uint8``, ``ignore_index`` = void.
        num_classes: Number of classes, C, the background counted.
        background: The class that is not a tag; None = every class is one.
        min_share: Classes with a smaller share of the image's pixels (void
            counted) have no tag.
        ignore_index: Id of void.

    Returns:
        1 for each class with a tag, else 0: ``(C,)``, without the entry of
        ``background`` ``(C - 1,)``.

    Raises:
        TypeError: If ``labels`` is not ``uint8``.
        ValueError: If an argument is out of range, or ``labels`` holds a
            value that is neither a class nor void.
    """
    check_labels(labels)
    check_shares(min_share=min_share)
    if not 1 <= num_classes <= 256:
        raise ValueError(
            f'num_classes must lie in [1, 256], got {num_classes}'
        )
    if background is not None and not 0 <= background < num_classes:
        raise ValueError(
            f'background must be None or lie in [0, {num_classes}), got '
            f'{background}'
        )
    count = np.bincount(labels.ravel(), minlength=256)
    if ignore_index >= 0:
        count[ignore_index] = 0
    beyond = np.flatnonzero(count[num_classes:])
    if len(beyond):
        raise ValueError(
            f'labels must lie in [0, {num_classes}) or be {ignore_index}, '
            f'got {num_classes + int(beyond[0])}'
        )
    count = count[:num_classes]
    shown = (count > 0) & (count >= min_share * labels.size)
    if background is not None:
        shown = np.delete(shown, background)
    return shown.astype(np.float32)
