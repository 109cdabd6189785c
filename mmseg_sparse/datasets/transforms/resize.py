"""Nearest-neighbour resizing that loses no labelled pixel.

Nearest-neighbour sampling looks at some source pixels and drops the others,
and with them three of four single-pixel clicks at half the size. Here its
result is taken as it is, and what it dropped is written where it left "no
label": a label is added, never moved or removed.
"""

from collections.abc import Sequence
from typing import Any

import mmcv
import numpy as np
from mmcv.transforms import RandomResize
from mmseg.datasets.transforms import Resize
from mmseg.registry import TRANSFORMS
from numpy.typing import NDArray

from ...labels.image_list import DENSE_KINDS

Labels = NDArray[np.integer]
Index = NDArray[np.int64]


class KeepsLabels:
    """What a transform gets that must know sparse maps from dense ones."""

    def __init__(
        self,
        *args: Any,
        ignore_index: int = 255,
        dense_from: float = 0.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        check_dense_from(dense_from)
        self.ignore_index = ignore_index
        self.dense_from = dense_from

    def __repr__(self) -> str:
        return (
            f'{super().__repr__()[:-1]}, ignore_index={self.ignore_index}, '
            f'dense_from={self.dense_from})'
        )


@TRANSFORMS.register_module()
class SparseResize(KeepsLabels, Resize):
    """``Resize`` that keeps the labels which nearest neighbours would drop.

    The image and dense label maps come out as from mmseg's ``Resize``, bit
    for bit; for what sparse maps gain see
    :func:`restore_resized`. Fields of ``seg_fields`` that are not integers
    (depth) are left to ``Resize``.

    Args:
        *args: Those of ``Resize``.
        ignore_index: Id of "no label".
        dense_from: Share of labelled pixels from which a map is dense, where
            the sample has no ``supervision`` that says it.
        **kwargs: Those of ``Resize``.
    """

    def _resize_seg(self, results: dict[str, Any]) -> None:
        fields = results.get('seg_fields', [])
        before = {key: results.get(key) for key in fields}
        super()._resize_seg(results)
        for key, labels in before.items():
            if labels is None or not np.issubdtype(labels.dtype, np.integer):
                continue
            try:
                results[key] = restore_resized(
                    labels,
                    results[key],
                    backend=self.backend,
                    ignore_index=self.ignore_index,
                    dense_from=self.dense_from,
                    supervision=results.get('supervision'),
                )
            except ValueError as error:
                source = results.get('seg_map_path', 'the sample')
                raise ValueError(f'{key} of {source}: {error}') from error


@TRANSFORMS.register_module()
class SparseRandomResize(RandomResize):
    """``RandomResize`` with ``SparseResize``; draws the same random scales.

    Args:
        scale: As in ``RandomResize``.
        ratio_range: As in ``RandomResize``.
        resize_type: As in ``RandomResize``.
        **resize_kwargs: Arguments of ``SparseResize``.
    """

    def __init__(
        self,
        scale: tuple[int, int] | Sequence[tuple[int, int]],
        ratio_range: tuple[float, float] | None = None,
        resize_type: str = 'mmseg.SparseResize',
        **resize_kwargs: Any,
    ) -> None:
        super().__init__(scale, ratio_range, resize_type, **resize_kwargs)


def check_dense_from(dense_from: float) -> None:
    """Raise ValueError unless this is a share."""
    if not 0 < dense_from <= 1:
        raise ValueError(f'dense_from must lie in (0, 1], got {dense_from}')


def is_dense(
    labels: Labels,
    *,
    ignore_index: int = 255,
    dense_from: float = 0.5,
    supervision: str | None = None,
) -> bool:
    """Return whether a map is dense (255 is void there) or sparse.

    A label beside void and a click look alike; only the whole map shows which
    of them it is. Where ``supervision`` is not known, a map is dense if
    enough of it is labelled, or if the labels, at least a fifth of that, are
    areas with more than an eighth of their borders between two classes. On
    CamVid that share is 0.15 or more in masks that are mostly void, and at
    most 0.03 in blocks and 0.09 in thick strokes.

    Args:
        labels: Label map.
        ignore_index: Id of void and of "no label".
        dense_from: The share of labelled pixels from which a map is dense.
        supervision: The kind of labels, if known: then it decides alone.
    """
    if supervision is not None:
        return supervision in DENSE_KINDS
    known = labels != ignore_index
    share = float(known.mean()) if known.size else 0.0
    if share >= dense_from:
        return True
    return share >= dense_from / 5 and _has_areas_side_by_side(labels, known)


def _has_areas_side_by_side(labels: Labels, known: NDArray[np.bool_]) -> bool:
    between = beside_void = 0
    same = known.copy()  # where a pixel and those below and right are alike
    for one, other in (
        (np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:]),
    ):  # fmt: skip
        differs = labels[one] != labels[other]
        both = known[one] & known[other]
        between += np.count_nonzero(differs & both)
        beside_void += np.count_nonzero(differs & ~both)
        same[one] &= ~differs
    areas = np.count_nonzero(same) > 0.75 * np.count_nonzero(known)
    return bool(areas and between > (between + beside_void) / 8)


def resize_labels(
    labels: Labels,
    size: tuple[int, int],
    *,
    backend: str = 'cv2',
    ignore_index: int = 255,
    dense_from: float = 0.5,
    supervision: str | None = None,
) -> Labels:
    """Resize a label map; see :func:`restore_resized` for what is kept.

    Args:
        labels: Label map, ``(H, W)`` of integers.
        size: Width and height of the result.
        backend: ``'cv2'`` or ``'pillow'``, as in ``mmcv.imresize``.
        ignore_index: Id of "no label".
        dense_from: Share of labelled pixels from which ``labels`` is dense
            and simply resized; see :func:`is_dense`.
        supervision: The kind of labels, if known.
    """
    nearest = mmcv.imresize(
        labels, size, interpolation='nearest', backend=backend
    )
    return restore_resized(labels, nearest, backend=backend,
                           ignore_index=ignore_index,
                           dense_from=dense_from,
                           supervision=supervision)  # fmt: skip


def restore_resized(
    labels: Labels,
    nearest: Labels,
    *,
    backend: str = 'cv2',
    ignore_index: int = 255,
    dense_from: float = 0.5,
    supervision: str | None = None,
) -> Labels:
    """Add the labels that nearest-neighbour resizing dropped.

    A dropped pixel (see :func:`_dropped`) is written where its middle falls.
    Where the middles of several fall into one pixel of the result, the one
    nearest to its middle is taken, the first in reading order among equals.

    So every label is in the result, at most a pixel from its place, unless
    another class took that place; strokes stay connected and have the width
    that sampling gives them, or one pixel where it gives none. Dense maps
    stay as they were resized, or void would shrink.

    Args:
        labels: Label map, ``(H, W)`` of integers.
        nearest: The same, resized by ``mmcv.imresize``.
        backend: What resized it, ``'cv2'`` or ``'pillow'``.
        ignore_index: As in :func:`resize_labels`.
        dense_from: As there.
        supervision: As there.

    Returns:
        ``nearest`` itself if there is nothing to add, else a copy.

    Raises:
        ValueError: If the maps are not two-dimensional.
    """
    if labels.ndim != 2 or nearest.ndim != 2:
        shapes = f'{labels.shape} and {nearest.shape}'
        raise ValueError(f'expected label maps (H, W), got shapes {shapes}')
    small = tuple(map(min, labels.shape, nearest.shape))
    if small == labels.shape or is_dense(
        labels,
        ignore_index=ignore_index,
        dense_from=dense_from,
        supervision=supervision,
    ):
        return nearest
    lengths = zip(labels.shape, small, strict=True)
    rows, cols = (_Axis(*both, backend) for both in lengths)
    y, x = _dropped(labels, rows, cols, ignore_index)
    if len(y) == 0:
        return nearest
    added = np.full(small, ignore_index, nearest.dtype)
    distance = rows.offset[y] ** 2 + cols.offset[x] ** 2
    write_nearest(
        added, (rows.target[y], cols.target[x]), labels[y, x], distance
    )
    if small != nearest.shape:  # enlarged along the other axis
        added = mmcv.imresize(added, nearest.shape[::-1],
                              interpolation='nearest',
                              backend=backend)  # fmt: skip
    return np.where(added == ignore_index, nearest, added)


def positions(mask: NDArray[np.bool_]) -> tuple[Index, Index]:
    """Return rows and columns of the true pixels, as ``np.nonzero`` does."""
    # Some five times as fast as that.
    y, x = np.divmod(np.flatnonzero(mask), mask.shape[1])
    return y, x


class _Axis:
    """Where the pixels along one axis go when it is made shorter.

    Attributes:
        samples: The pixel that each of the result is a copy of.
        before: For each pixel the nearest sample not after it.
        after: The nearest sample not before it.
        target: Where its middle falls; a sample goes where it is copied to.
        offset: From the middle of that pixel to its own, in pixels there.
    """

    def __init__(self, length: int, target: int, backend: str) -> None:
        self.samples = _samples(length, target, backend)
        pixel = np.arange(length)
        low = np.searchsorted(self.samples, pixel, 'right') - 1
        high = np.searchsorted(self.samples, pixel, 'left')
        low, high = np.maximum(low, 0), np.minimum(high, target - 1)
        self.before, self.after = self.samples[low], self.samples[high]
        place = (pixel + 0.5) * target / length
        self.target = np.clip(np.floor(place).astype(np.int64), low, high)
        self.offset = place - (self.target + 0.5)


def _dropped(
    labels: Labels, rows: _Axis, cols: _Axis, ignore_index: int
) -> tuple[Index, Index]:
    r"""Return the labelled pixels that resizing dropped.

    Nearest-neighbour resizing samples a grid of source pixels. A labelled
    pixel :math:`p` that is not on the grid lies between its neighbouring rows
    and columns, and so between up to four samples. It is dropped, unless

    * one of those has its class, and so has every pixel on the straight line
      to it: :math:`p` is the margin of a stroke that the result shows, or
    * the pixel of the result that the middle of :math:`p` falls into has a
      label already: its class, or one that contradicts it.
    """
    result = labels[rows.samples][:, cols.samples]
    y, x = positions(labels != ignore_index)
    free = result[rows.target[y], cols.target[x]] == ignore_index
    y, x = y[free], x[free]
    shown = np.zeros(len(y), bool)
    for qy in (rows.before[y], rows.after[y]):
        for qx in (cols.before[x], cols.after[x]):
            shown |= _joined(labels, (y, x), (qy, qx))
    return y[~shown], x[~shown]


def _samples(length: int, target: int, backend: str) -> Index:
    """Return the pixels that nearest-neighbour resizing takes on an axis."""
    # The backend is asked: no formula rounds as each version of it does. A
    # pixel's number is in two bytes, because pillow takes nothing wider.
    ramp = np.zeros((1, length, 3), np.uint8)
    ramp[0, :, 0], ramp[0, :, 1] = np.divmod(np.arange(length), 256)
    ramp = mmcv.imresize(
        ramp, (target, 1), interpolation='nearest', backend=backend
    )
    high, low, _ = ramp[0].astype(np.int64).T
    return 256 * high + low


def _joined(
    labels: Labels, start: tuple[Index, Index], end: tuple[Index, Index]
) -> NDArray[np.bool_]:
    """Tell which straight lines between two pixels have one class."""
    delta = [b - a for a, b in zip(start, end, strict=True)]
    length = np.maximum(np.abs(delta[0]), np.abs(delta[1]))
    joined = labels[start] == labels[end]
    for step in range(1, int(length.max(initial=0))):
        share = np.minimum(step / np.maximum(length, 1), 1)
        y, x = (
            a + np.rint(share * d).astype(np.int64)
            for a, d in zip(start, delta, strict=True)
        )
        joined &= labels[y, x] == labels[start]
    return joined


def write_nearest(
    result: Labels,
    place: tuple[Index, Index],
    classes: Labels,
    distance: NDArray[np.float64],
) -> None:
    """Write classes, the nearest and then the first where several meet."""
    # numpy writes in order, and the last stays.
    order = np.argsort(distance, kind='stable')[::-1]
    result[place[0][order], place[1][order]] = classes[order]
