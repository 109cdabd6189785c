"""Nearest-neighbour rotation that loses no labelled pixel."""

from typing import Any

import cv2
import mmcv
import numpy as np
from mmseg.datasets.transforms import RandomRotate
from mmseg.registry import TRANSFORMS
from numpy.typing import NDArray

from .resize import (
    KeepsLabels,
    Labels,
    is_dense,
    positions,
    write_nearest,
)


@TRANSFORMS.register_module()
class SparseRandomRotate(KeepsLabels, RandomRotate):
    """``RandomRotate`` that keeps what nearest neighbours would drop.

    The angles drawn, the image and dense label maps are those of mmseg's
    ``RandomRotate``, bit for bit; for what sparse maps gain see
    :func:`rotate_labels`. Fields of ``seg_fields`` that are not integers
    (depth) are rotated as in ``RandomRotate``.

    Args:
        *args: Those of ``RandomRotate``.
        ignore_index: Id of "no label".
        dense_from: Share of labelled pixels from which a map is dense, where
            the sample has no ``supervision`` that says it.
        **kwargs: Those of ``RandomRotate``.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Rotate image and label maps."""
        rotate, degree = self.generate_degree()
        if not rotate:
            return results
        options = dict(
            angle=degree, center=self.center, auto_bound=self.auto_bound
        )
        results['img'] = mmcv.imrotate(
            results['img'], border_value=self.pal_val, **options
        )
        options['border_value'] = self.seg_pad_val
        for key in results.get('seg_fields', []):
            if np.issubdtype(results[key].dtype, np.integer):
                results[key] = rotate_labels(
                    results[key],
                    ignore_index=self.ignore_index,
                    dense_from=self.dense_from,
                    supervision=results.get('supervision'),
                    **options,
                )
            else:
                results[key] = mmcv.imrotate(
                    results[key], interpolation='nearest', **options
                )
        return results


def rotate_labels(
    labels: Labels,
    angle: float,
    *,
    center: tuple[float, float] | None = None,
    auto_bound: bool = False,
    border_value: int = 255,
    ignore_index: int = 255,
    dense_from: float = 0.5,
    supervision: str | None = None,
) -> Labels:
    """Rotate a label map as ``mmcv.imrotate`` does and add what it dropped.

    Nearest-neighbour rotation drops up to a sixth of the pixels, never two
    beside each other. So only what is one pixel wide can be lost: a pixel
    that belongs to no 2x2 square of its class. Such a pixel is written where
    its middle falls, if that is inside the result and has no label; where
    several ask for one place, as in :func:`restore_resized`.

    Args:
        labels: Label map, ``(H, W)`` of integers.
        angle: Degrees, clockwise.
        center: Of the rotation, ``(x, y)``; ``None``: of the map.
        auto_bound: Whether the result is as large as the rotated map.
        border_value: Label of what lies outside the map.
        ignore_index: Id of "no label".
        dense_from: Share of labelled pixels from which ``labels`` is dense
            and simply rotated; see :func:`is_dense`.
        supervision: The kind of labels, if known.
    """
    options = dict(center=center, auto_bound=auto_bound,
                   interpolation='nearest')  # fmt: skip
    rotated = mmcv.imrotate(labels, angle, border_value=border_value,
                            **options)  # fmt: skip
    if is_dense(labels, ignore_index=ignore_index, dense_from=dense_from,
                supervision=supervision):  # fmt: skip
        return rotated
    y, x = positions((labels != ignore_index) & ~_in_square(labels))
    number = np.zeros(labels.shape, np.float32)
    number[y, x] = np.arange(1, len(y) + 1)
    kept = np.zeros(len(y) + 1, bool)
    kept[mmcv.imrotate(number, angle, **options).astype(np.int64)] = True
    y, x = y[~kept[1:]], x[~kept[1:]]

    place = _rotation(labels.shape, angle, center, auto_bound) @ (
        np.stack([x, y, np.ones_like(x)])
    )
    column, row = target = np.rint(place).astype(np.int64)
    height, width = rotated.shape
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    free = inside.copy()
    free[inside] = rotated[row[inside], column[inside]] == ignore_index
    distance = ((place - target) ** 2).sum(0)
    write_nearest(rotated, (row[free], column[free]), labels[y, x][free],
           distance[free])  # fmt: skip
    return rotated


def _in_square(labels: Labels) -> NDArray[np.bool_]:
    """Mark the pixels of 2x2 squares of one value."""
    first = labels[:-1, :-1]
    square = first == labels[:-1, 1:]
    square &= first == labels[1:, :-1]
    square &= first == labels[1:, 1:]
    marked = np.zeros(labels.shape, bool)
    for part in np.s_[:-1, :-1], np.s_[:-1, 1:], np.s_[1:, :-1], np.s_[1:, 1:]:
        marked[part] |= square
    return marked


def _rotation(
    shape: tuple[int, int],
    angle: float,
    center: tuple[float, float] | None,
    auto_bound: bool,
) -> NDArray[np.float64]:
    """Return the matrix of ``mmcv.imrotate``, from source to result."""
    height, width = shape
    if center is None:
        center = ((width - 1) * 0.5, (height - 1) * 0.5)
    matrix = cv2.getRotationMatrix2D(center, -angle, 1.0)
    if auto_bound:
        cos, sin = abs(matrix[0, 0]), abs(matrix[0, 1])
        matrix[0, 2] += (height * sin + width * cos - width) * 0.5
        matrix[1, 2] += (height * cos + width * sin - height) * 0.5
    return np.asarray(matrix, np.float64)
