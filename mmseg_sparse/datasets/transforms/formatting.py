"""Packing of samples that have image-level labels beside the label map."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.structures import PixelData
from mmseg.datasets.transforms import PackSegInputs
from mmseg.registry import TRANSFORMS
from numpy.typing import NDArray


@TRANSFORMS.register_module()
class PackSparseInputs(PackSegInputs):
    """``PackSegInputs`` that adds ``data_sample.gt_label``.

    It is a float32 vector, 1 for each foreground class of the image and 0
    for the others. Whether a sample has one depends on what came before:

    * ``results['gt_label']``, if the dataset, ``LoadSparseAnnotations`` or
      ``SimulateTags`` gave it: the tags of the whole image.
    * Else, with ``num_classes``, the classes of the labelled pixels that are
      left in the sample; a crop may have lost some.
    * Else none, as where there is no label map, in testing without masks.
      If only some images have tags, only some samples of a batch have
      ``gt_label`` then. A loss that needs it for all samples requires
      ``num_classes`` here or ``with_tags=True`` in ``LoadSparseAnnotations``.

    The mask of ``LoadDenseMasks`` is packed as ``data_sample.gt_dense_map``.

    Args:
        num_classes: Number of classes, background included.
        background: Index of the class that is not foreground and has no entry
            in the vector; None if all classes are foreground; 'auto' = what
            the dataset says, and None where it says nothing.
        ignore_index: Id of "no label".
        meta_keys: As in ``PackSegInputs``; by default its keys and
            ``supervision``, the kind of the image's labels.
    """

    def __init__(
        self,
        num_classes: int | None = None,
        background: int | str | None = 'auto',
        ignore_index: int = 255,
        meta_keys: Sequence[str] | None = None,
    ) -> None:
        if meta_keys is None:
            super().__init__()
            meta_keys = (*self.meta_keys, 'supervision')
        super().__init__(meta_keys)
        if num_classes is not None and num_classes < 1:
            raise ValueError(
                f'num_classes must be at least 1, got {num_classes}'
            )
        if background not in (None, 'auto'):
            if num_classes is None:
                raise ValueError(
                    f'background={background} needs num_classes beside it'
                )
            check_background(background, num_classes)
        self.num_classes = num_classes
        self.background = background
        self.ignore_index = ignore_index

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pack image, label map, meta data and image-level labels."""
        packed: dict[str, Any] = super().transform(results)
        label = self._label(results)
        if label is not None:
            packed['data_samples'].set_field(
                torch.from_numpy(label), 'gt_label'
            )
        if 'gt_dense_map' in results:
            mask = torch.from_numpy(results['gt_dense_map'].astype(np.int64))
            packed['data_samples'].set_data(
                dict(gt_dense_map=PixelData(data=mask[None]))
            )
        return packed

    def _label(self, results: dict[str, Any]) -> NDArray[np.float32] | None:
        source = results.get('seg_map_path') or results.get('img_path')
        background: Any = self.background
        if background == 'auto':
            background = results.get('background')
        if results.get('gt_label') is not None:
            hot = np.asarray(results['gt_label'])
            return self._given(hot, background, source)
        labels = results.get('gt_seg_map')
        if labels is None or self.num_classes is None:
            return None
        count = np.bincount(labels.ravel(), None, self.num_classes)
        count[self.ignore_index : self.ignore_index + 1] = 0
        found = np.flatnonzero(count)
        if len(found) and found[-1] >= self.num_classes:
            raise ValueError(
                f'{source}: label {found[-1]} in the map, but num_classes is '
                f'{self.num_classes}'
            )
        hot = (count[: self.num_classes] > 0).astype(np.float32)
        return hot if background is None else np.delete(hot, background)

    def _given(
        self, label: NDArray[Any], background: Any, source: str | None
    ) -> NDArray[np.float32]:
        length = self.num_classes
        if length is not None and background is not None:
            length -= 1
        if label.ndim != 1 or length not in (None, len(label)):
            raise ValueError(
                f'{source}: gt_label must be a vector of {length or "all"} '
                f'foreground classes, got shape {label.shape}'
            )
        return label.astype(np.float32)

    def __repr__(self) -> str:
        return (
            f'{super().__repr__()[:-1]}, num_classes={self.num_classes}, '
            f'background={self.background!r}, '
            f'ignore_index={self.ignore_index})'
        )


def check_background(background: Any, num_classes: int) -> None:
    """Raise ValueError unless this is the index of a class."""
    if not isinstance(background, int) or not 0 <= background < num_classes:
        raise ValueError(
            f'background must be one of {num_classes} classes, got '
            f'{background!r}'
        )
