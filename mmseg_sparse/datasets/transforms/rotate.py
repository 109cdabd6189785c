"""Rotating that keeps every labelled point."""

from typing import Any

import mmcv
import numpy as np
from mmseg.datasets.transforms import RandomRotate
from mmseg.registry import TRANSFORMS

from .resize import check_dense_from
from .sparse_rotate import rotate_labels


@TRANSFORMS.register_module()
class SparseRandomRotate(RandomRotate):
    """``RandomRotate`` that keeps what nearest neighbours would drop.

    The angles drawn, the image and dense label maps are those of mmseg's
    ``RandomRotate``, bit for bit; what sparse maps gain is told at
    :func:`~.sparse_rotate.rotate_labels`. Fields of
    ``seg_fields`` that hold no integers (depth) are rotated as there.

    Args:
        *args: Those of ``RandomRotate``.
        ignore_index: Id of "no label".
        dense_from: Share of labelled pixels from which a map is dense, where
            the sample has no ``supervision`` that says it.
        **kwargs: Those of ``RandomRotate``.
    """

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

    def __repr__(self) -> str:
        return (
            f'{super().__repr__()[:-1]}, ignore_index={self.ignore_index}, '
            f'dense_from={self.dense_from})'
        )
