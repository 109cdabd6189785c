"""How well generated labels and heat maps agree with dense masks."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from mmseg.evaluation.metrics import IoUMetric
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from mmseg_sparse.labels.heatmap_file import SUFFIX, read_heatmaps
from mmseg_sparse.labels.label_map import NO_LABEL

Labels = NDArray[np.integer]
#: Background scores, the best of which is reported.
SCORES = tuple(round(0.05 * step, 2) for step in range(1, 20))


def iou_areas(predicted: Labels, mask: Labels, num_classes: int) -> Tensor:
    """Return the areas of ``IoUMetric.intersect_and_union``, ``(4, C)``.

    Args:
        predicted: Label map; 255 is wrong wherever the mask has a class.
        mask: Dense mask of the same size; 255 does not count.
        num_classes: C.

    Raises:
        ValueError: If sizes differ or there are other values.
    """
    if predicted.shape != mask.shape:
        raise ValueError(
            f'expected labels of the size of their mask, {mask.shape}, got '
            f'{predicted.shape}'
        )
    for name, values in (('mask', mask), ('labels', predicted)):
        classes = values[(mask != NO_LABEL) & (values != NO_LABEL)]
        if classes.size and classes.max() >= num_classes:
            raise ValueError(
                f'{name}: expected classes 0 to {num_classes - 1}, got '
                f'{classes.max()}'
            )
    found, truth = (
        torch.from_numpy(values.astype(np.int64))
        for values in (predicted, mask)
    )
    areas = IoUMetric.intersect_and_union(found, truth, num_classes, NO_LABEL)
    return torch.stack(areas).double()  # sums of float32 are not exact


def mean_iou(total: Tensor) -> float:
    """Return the mIoU in percent of a sum of :func:`iou_areas`.

    It is over the classes that a mask or a prediction has; 0 where nothing
    was counted.
    """
    if not total[1].any():
        return 0.0
    iou = IoUMetric.total_area_to_metrics(*total)['IoU']
    return 100 * float(np.nanmean(iou))


def label_miou(
    folder: str | Path, masks: str | Path, names: Sequence[str], classes: int
) -> float:
    """Return the mIoU of label maps ``NAME.png``."""
    folder = Path(folder)
    areas = (
        iou_areas(_png(folder / f'{name}.png'), mask, classes)
        for name, mask in _masks(masks, names)
    )
    return mean_iou(sum(areas, _no_areas(classes)))


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
        areas = (
            iou_areas(_best(folder / f'{name}{SUFFIX}')[0], mask, classes)
            for name, mask in _masks(masks, names)
        )
        return mean_iou(sum(areas, _no_areas(classes))), None
    totals = [_no_areas(classes) for _ in SCORES]
    for name, mask in _masks(masks, names):
        labels, score = _best(folder / f'{name}{SUFFIX}')
        for total, bound in zip(totals, SCORES, strict=True):
            found = np.where(score > bound, labels, background)
            total += iou_areas(found, mask, classes)
    values = [mean_iou(total) for total in totals]
    best = int(np.argmax(values))
    return values[best], SCORES[best]


def _no_areas(classes: int) -> Tensor:
    return torch.zeros(4, classes, dtype=torch.float64)


def _best(path: Path) -> tuple[Labels, NDArray[np.float32]]:
    """Return the class of the highest map of each pixel, and its value."""
    maps = read_heatmaps(path)
    if not len(maps.classes):
        shape = maps.maps.shape[1:]
        return np.full(shape, NO_LABEL), np.zeros(shape, np.float32)
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
