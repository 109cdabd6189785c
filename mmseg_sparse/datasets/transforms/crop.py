"""Cropping where the labels are."""

from typing import Any

import cv2
import numpy as np
from mmcv.transforms.utils import cache_randomness
from mmseg.datasets.transforms import RandomCrop
from mmseg.registry import TRANSFORMS
from numpy.typing import NDArray

from .resize import Labels, check_dense_from, is_dense, positions

#: How many crops are drawn at most after the first, as in ``RandomCrop``.
_REDRAWS = 10


@TRANSFORMS.register_module()
class SparseRandomCrop(RandomCrop):
    """``RandomCrop`` that prefers crops with labels, of several classes.

    A crop is drawn as ``RandomCrop`` draws it and kept if it shows what is
    wanted: labels of several classes, none of which has ``cat_max_ratio`` of
    the crop's labelled pixels or more; any label where the map has one class
    alone. Otherwise up to 10 more are drawn, all places that show a label
    being equally likely. The first that shows what is wanted is taken, else
    the first of the best: several classes, then one.

    So every place that shows what is wanted is as likely as every other; a
    crop is never without a label if the map has one; and a place that alone
    shows several classes is not forced on every sample. Maps without a label
    are cropped anywhere, dense ones by ``RandomCrop`` itself. Only the label
    map decides, and nothing else of the sample.

    Args:
        crop_size: As in ``RandomCrop``.
        cat_max_ratio: As in ``RandomCrop``.
        ignore_index: Id of "no label".
        dense_from: Share of labelled pixels from which a map is dense, where
            the sample has no ``supervision`` that says it.
    """

    def __init__(
        self,
        crop_size: int | tuple[int, int],
        cat_max_ratio: float = 1.0,
        ignore_index: int = 255,
        dense_from: float = 0.5,
    ) -> None:
        super().__init__(crop_size, cat_max_ratio, ignore_index)
        check_dense_from(dense_from)
        self.dense_from = dense_from

    @cache_randomness
    def crop_bbox(self, results: dict[str, Any]) -> tuple[int, int, int, int]:
        """Return where to crop: ``(y1, y2, x1, x2)``."""
        labels = results.get('gt_seg_map')
        size = results['img'].shape[:2]
        if labels is None:
            return self._draw(size)
        if labels.shape != size:
            raise ValueError(
                f'{results.get("seg_map_path", "gt_seg_map")}: the label map '
                f'is {labels.shape}, the image {size}'
            )
        if is_dense(
            labels,
            ignore_index=self.ignore_index,
            dense_from=self.dense_from,
            supervision=results.get('supervision'),
        ):
            return super().crop_bbox(results)
        return self._seek(labels, self._draw(size))

    def _draw(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        top, left = (
            np.random.randint(max(length - crop, 0) + 1)  # noqa: NPY002
            for length, crop in zip(size, self.crop_size, strict=True)
        )
        return self._box(top, left)

    def _box(self, top: int, left: int) -> tuple[int, int, int, int]:
        return top, top + self.crop_size[0], left, left + self.crop_size[1]

    def _seek(
        self, labels: Labels, box: tuple[int, int, int, int]
    ) -> tuple[int, int, int, int]:
        y, x = positions(labels != self.ignore_index)
        classes = labels[y, x]

        def quality(box: tuple[int, int, int, int]) -> int:
            top, bottom, left, right = box
            inside = (y >= top) & (y < bottom) & (x >= left) & (x < right)
            return self._quality(classes[inside])

        # Of a map with one class no crop shows more than a label.
        wanted = 3 if self._quality(classes) > 1 else int(len(classes) > 0)
        best = quality(box)
        if best >= wanted:
            return box
        columns, places = self._places(labels)
        draws = np.random.choice(places, _REDRAWS)  # noqa: NPY002
        for place in draws:
            other = self._box(*divmod(int(place), columns))
            found = quality(other)
            if found > best:
                best, box = found, other
            if best >= wanted:
                break
        return box

    def _quality(self, classes: Labels) -> int:
        """Return 3: as wanted, 2: several classes, 1: one, 0: no label."""
        count = np.bincount(classes)
        several = int(np.count_nonzero(count))
        if several < 2:
            return several
        return 3 if count.max() / count.sum() < self.cat_max_ratio else 2

    def _places(self, labels: Labels) -> tuple[int, NDArray[np.int64]]:
        """Return the offsets that show a label, in rows of how many."""
        known = (labels != self.ignore_index).view(np.uint8)
        total = cv2.integral(known)
        height, width = np.minimum(self.crop_size, labels.shape)
        shown = (
            total[height:, width:]
            - total[:-height, width:]
            - total[height:, :-width]
            + total[:-height, :-width]
        )
        return shown.shape[1], np.flatnonzero(shown)

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(crop_size={self.crop_size}, '
            f'cat_max_ratio={self.cat_max_ratio}, '
            f'ignore_index={self.ignore_index}, dense_from={self.dense_from})'
        )
