"""Resizing that keeps every labelled point."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import RandomResize
from mmseg.datasets.transforms import Resize
from mmseg.registry import TRANSFORMS

from .sparse_resize import restore_resized


@TRANSFORMS.register_module()
class SparseResize(Resize):
    """``Resize`` that keeps the labels which nearest neighbours would drop.

    The image and dense label maps come out as from mmseg's ``Resize``, bit
    for bit; what sparse maps gain is told at
    :func:`~.sparse_resize.restore_resized`. Fields of
    ``seg_fields`` that hold no integers (depth) are left to ``Resize``.

    Args:
        *args: Those of ``Resize``.
        ignore_index: Id of "no label".
        dense_from: Share of labelled pixels from which a map is dense, where
            the sample has no ``supervision`` that says it.
        **kwargs: Those of ``Resize``.
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

    def __repr__(self) -> str:
        return (
            f'{super().__repr__()[:-1]}, ignore_index={self.ignore_index}, '
            f'dense_from={self.dense_from})'
        )


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
    """Refuse what is no share."""
    if not 0 < dense_from <= 1:
        raise ValueError(f'dense_from must lie in (0, 1], got {dense_from}')
