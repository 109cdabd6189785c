"""How good generated labels and heat maps are, beside dense masks."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mmseg_sparse.labels.heatmap_file import SUFFIX, read_heatmaps

Labels = NDArray[np.integer]
#: Background scores of which the best is told.
SCORES = tuple(round(0.05 * step, 2) for step in range(1, 20))
_VOID = 255


def confusion(
    predicted: Labels, mask: Labels, num_classes: int
) -> NDArray[np.int64]:
    """Count pixels by class of the mask and class predicted.

    Args:
        predicted: Label map; 255 is wrong wherever the mask has a class.
        mask: Dense mask of the same size; 255 does not count.
        num_classes: C.

    Returns:
        ``(C, C + 1)``, the last column for pixels without a prediction.

    Raises:
        ValueError: If sizes differ or there are other values.
    """
    if predicted.shape != mask.shape:
        raise ValueError(
            f'labels are {predicted.shape}, their mask {mask.shape}'
        )
    known = mask != _VOID
    truth = mask[known].astype(np.int64)
    found = predicted[known].astype(np.int64)
    for name, values in (('mask', truth), ('labels', found[found != _VOID])):
        if values.size and values.max() >= num_classes:
            raise ValueError(
                f'{name}: value {values.max()} is none of {num_classes} '
                'classes'
            )
    found[found == _VOID] = num_classes
    counts = np.bincount(
        truth * (num_classes + 1) + found,
        minlength=num_classes * (num_classes + 1),
    )
    return counts.reshape(num_classes, num_classes + 1)


def mean_iou(counts: NDArray[np.int64]) -> float:
    """Return the mIoU in percent of :func:`confusion`'s counts.

    As in mmseg's ``IoUMetric``, over classes that a mask or a prediction
    has; 0 where nothing was counted.
    """
    square = counts[:, :-1]
    both = np.diag(square)
    union = counts.sum(1) + square.sum(0) - both
    there = union > 0
    return (
        100 * float((both[there] / union[there]).mean()) if any(there) else 0.0
    )


def label_miou(
    folder: str | Path, masks: str | Path, names: Sequence[str], classes: int
) -> float:
    """Return the mIoU of label maps ``NAME.png``."""
    folder = Path(folder)
    counts = sum(
        confusion(_png(folder / f'{name}.png'), mask, classes)
        for name, mask in _masks(masks, names)
    )
    return mean_iou(counts)


def heatmap_miou(
    folder: str | Path,
    masks: str | Path,
    names: Sequence[str],
    classes: int,
    *,
    background: int | None = None,
) -> tuple[float, float | None]:
    """Return the mIoU of the highest heat map of each pixel.

    Args:
        folder: Of files ``NAME.npz``.
        masks: Of dense masks ``NAME.png``.
        names: Of images.
        classes: Number of classes.
        background: A class without maps of its own, as in activation maps:
            it is where no map exceeds a score. None: all classes have maps.

    Returns:
        The mIoU, that of the best of :data:`SCORES` where there is a
        ``background``, and that score.
    """
    folder = Path(folder)
    if background is None:
        counts = sum(
            confusion(_best(folder / f'{name}{SUFFIX}')[0], mask, classes)
            for name, mask in _masks(masks, names)
        )
        return mean_iou(counts), None
    totals = [np.zeros((classes, classes + 1), np.int64) for _ in SCORES]
    for name, mask in _masks(masks, names):
        labels, score = _best(folder / f'{name}{SUFFIX}')
        for total, bound in zip(totals, SCORES, strict=True):
            found = np.where(score > bound, labels, background)
            total += confusion(found, mask, classes)
    values = [mean_iou(total) for total in totals]
    best = int(np.argmax(values))
    return values[best], SCORES[best]


def _best(path: Path) -> tuple[Labels, NDArray[np.float32]]:
    """Return the class of the highest map of each pixel, and its value."""
    maps = read_heatmaps(path)
    if not len(maps.classes):
        shape = maps.maps.shape[1:]
        return np.full(shape, _VOID), np.zeros(shape, np.float32)
    values = maps.maps.astype(np.float32)
    return maps.classes[values.argmax(0)], values.max(0)


def _masks(
    folder: str | Path, names: Sequence[str]
) -> Iterable[tuple[str, Labels]]:
    if not names:
        raise ValueError('no images to compare with their masks')
    for name in names:
        yield name, _png(Path(folder) / f'{name}.png')


def _png(path: Path) -> Labels:
    with Image.open(path) as picture:
        return np.asarray(picture)


def table_text(rows: Sequence[tuple[str, float | None, str]]) -> str:
    """Return rows of name, mIoU and remark as lines of text."""
    width = max(len(name) for name, _, _ in rows)
    lines = [f'{"":{width}}   mIoU']
    for name, value, remark in rows:
        number = '     -' if value is None else f'{value:6.2f}'
        lines.append(f'{name:{width}} {number}  {remark}'.rstrip())
    return '\n'.join(lines) + '\n'
