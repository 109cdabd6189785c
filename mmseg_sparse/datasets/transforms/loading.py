"""Loading labels that may be sparse, or no more than tags."""

from pathlib import Path
from typing import Any

import mmengine.fileio as fileio
import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.datasets.transforms import LoadAnnotations
from mmseg.registry import TRANSFORMS
from numpy.typing import NDArray

from ...labels.label_map import (
    NO_LABEL,
    Labels,
    decode_labels,
    load_png_index,
    lookup_table,
)
from ...labels.tags import TagSpace


@TRANSFORMS.register_module()
class LoadSparseAnnotations(LoadAnnotations):
    """``LoadAnnotations`` for images of any kind of label, with checks.

    Dense and sparse label maps come out as the stock transform gives them.
    An image without ``seg_map_path``, one that has tags alone, gets a map of
    255 of its size; a picture that does not come from a dataset, as in mmseg's
    ``inference_model``, stays as it is. Labels that would silently train on
    nonsense are errors: colours in place of indices, indices that are not
    classes of the dataset, 16-bit values, a map of another size than the
    image. The last two checks need what ``SparseSegDataset`` puts into an
    item; with other datasets give ``num_classes``.

    Args:
        with_tags: Whether every sample gets ``gt_label``: where the image has
            no tags, the classes that occur in its label map.
        num_classes: Number of classes, where the dataset does not say.
        background: Index of the class that is not a tag, where the dataset
            does not say (``SparseSegDataset`` does); None = all are tags.
        reduce_zero_label, backend_args, imdecode_backend: As in
            ``LoadAnnotations``.
    """

    def __init__(
        self,
        reduce_zero_label: bool | None = None,
        backend_args: dict[str, Any] | None = None,
        imdecode_backend: str = 'pillow',
        *,
        with_tags: bool = False,
        num_classes: int | None = None,
        background: int | None = None,
    ) -> None:
        super().__init__(reduce_zero_label, backend_args, imdecode_backend)
        if with_tags and num_classes is not None and num_classes < 1:
            raise ValueError(
                f'num_classes must be at least 1, got {num_classes}'
            )
        self.with_tags = with_tags
        self.num_classes = num_classes
        self.background = background

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add ``gt_seg_map``, and ``gt_label`` if asked."""
        if 'seg_fields' not in results and 'seg_map_path' not in results:
            return results
        shape = results.get('ori_shape')
        labels = self._read(results)
        if labels is None:
            if shape is None:
                raise ValueError(
                    f'{results.get("img_path")}: has tags alone; its image '
                    'must be loaded before LoadSparseAnnotations'
                )
            labels = np.full(shape[:2], NO_LABEL, np.uint8)
        elif shape is not None and labels.shape != tuple(shape[:2]):
            raise ValueError(
                f'{results["seg_map_path"]}: is {labels.shape[1]}x'
                f'{labels.shape[0]} pixels, its image {shape[1]}x{shape[0]} '
                '(as turned by its EXIF data, if it has any)'
            )
        given = results.get('gt_label')
        if given is not None and self._count(results) is not None:
            # A labelled pixel shows its class, also one the tags leave out.
            results['gt_label'] = np.maximum(
                given, self._tags(results, labels)
            )
        elif given is None and self.with_tags:
            results['gt_label'] = self._tags(results, labels)
        if 'gt_label' in results:
            results['given_tags'] = given  # what simulations may keep of it
        results['gt_seg_map'] = labels
        results['seg_fields'].append('gt_seg_map')
        return results

    def tags(self, results: dict[str, Any]) -> NDArray[np.float32]:
        """Return the classes that occur in an item's label map."""
        labels = self._read(results)
        if labels is None:
            raise ValueError(f'{results.get("img_path")}: has no label map')
        return self._tags(results, labels)

    def _count(self, results: dict[str, Any]) -> int | None:
        return results.get('num_classes', self.num_classes)

    def _tags(
        self, results: dict[str, Any], labels: Labels
    ) -> NDArray[np.float32]:
        count = self._count(results)
        if count is None:
            raise ValueError(
                'LoadSparseAnnotations(with_tags=True) needs num_classes '
                'with a dataset that does not say'
            )
        space = TagSpace(
            tuple(map(str, range(count))),
            results.get('background', self.background),
        )
        present = np.unique(labels)
        return space.from_indices(present[present != NO_LABEL].tolist())

    def _read(self, results: dict[str, Any]) -> Labels | None:
        path = results.get('seg_map_path')
        if path is None:
            return None
        raw = decode_labels(
            fileio.get(path, backend_args=self.backend_args),
            path,
            backend=self.imdecode_backend,
        )
        reduce = results.get('reduce_zero_label', False)
        if self.reduce_zero_label not in (None, reduce):
            raise ValueError(
                f'reduce_zero_label is {self.reduce_zero_label} in '
                f'LoadSparseAnnotations and {reduce} in the dataset'
            )
        table = lookup_table(
            reduce_zero_label=reduce,
            label_map=results.get('label_map'),
            ignore_index=results.get('ignore_index', NO_LABEL),
        )
        labels = table[raw]
        count = self._count(results)
        if count is not None:
            _check_range(raw, labels, count, path)
        return labels

    def __repr__(self) -> str:
        return (
            f'{super().__repr__()[:-1]}, with_tags={self.with_tags}, '
            f'num_classes={self.num_classes}, background={self.background})'
        )


def _check_range(raw: Labels, labels: Labels, count: int, path: str) -> None:
    wrong = (labels >= count) & (labels != NO_LABEL)
    if not wrong.any():
        return
    values = np.unique(raw[wrong]).tolist()
    shown = ', '.join(map(str, values[:8])) + (', ...' if values[8:] else '')
    raise ValueError(
        f'{path}: {np.count_nonzero(wrong)} pixels have the value {shown}, '
        f'which is none of the {count} classes and not 255 (no label)'
    )


@TRANSFORMS.register_module()
class LoadDenseMasks(BaseTransform):
    """Load the dense mask of an image beside its sparse labels.

    Adds ``gt_dense_map``, which geometric transforms move like the labels and
    ``PackSparseInputs`` packs. Nothing learns from it: it is to measure, in
    training, labels that a model makes itself (``MeanTeacherEncoderDecoder``
    with ``log_precision``). Comes after the labels are loaded and before the
    image is changed.

    Args:
        replace: What makes the path of the mask of that of the label map: a
            part of it that occurs once, and what takes its place.
    """

    def __init__(self, replace: tuple[str, str]) -> None:
        self.replace = tuple(replace)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add ``gt_dense_map``.

        Raises:
            FormatError: If the mask is no index PNG.
            OSError: If there is no such file.
            ValueError: If the path of the label map does not have the part
                once, or the mask has another size than the label map.
        """
        path = results['seg_map_path']
        old, new = self.replace
        if path.count(old) != 1:
            raise ValueError(
                f'{path}: expected {old!r} once in the path, got '
                f'{path.count(old)}: set replace of LoadDenseMasks'
            )
        mask = load_png_index(Path(path.replace(old, new)))
        shape = results['gt_seg_map'].shape
        if mask.shape != shape:
            raise ValueError(
                f'{path.replace(old, new)}: expected the size of the label '
                f'map, {shape}, got {mask.shape}'
            )
        results['gt_dense_map'] = mask
        results['seg_fields'].append('gt_dense_map')
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(replace={self.replace})'
