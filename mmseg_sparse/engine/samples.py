"""Loading of samples, with errors that name the file and the remedy."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmcv.transforms import LoadImageFromFile
from mmengine.dataset import (
    BaseDataset,
    ClassBalancedDataset,
    Compose,
    ConcatDataset,
    RepeatDataset,
)
from mmseg.datasets import MultiImageMixDataset
from mmseg.datasets.transforms import LoadAnnotations
from mmseg.structures import SegDataSample

LIST_ALL = 'python -m mmseg_sparse check_labels CONFIG lists all such files'


class SampleError(RuntimeError):
    """A sample that cannot be trained on; the message is one sentence."""


class CheckedPipeline(Compose):
    """A pipeline whose errors name the files, and that checks its result.

    A broken label file fails in Pillow, whose message does not say which file
    it is; a label that is not a class fails in the loss, on a GPU by an
    assertion that ends the process; a NaN in an image fails nowhere and
    spoils the weights. Here each is a :class:`SampleError`.

    Args:
        transforms: The steps of the pipeline.
        num_classes: Number of classes of the model; None: labels are not
            looked at.
        ignore_index: The label that is no class.
    """

    def __init__(
        self,
        transforms: Sequence[Any],
        *,
        num_classes: int | None = None,
        ignore_index: int = 255,
    ) -> None:
        super().__init__(transforms)
        self.num_classes = num_classes
        self.ignore_index = ignore_index

    def __call__(self, data: dict[str, Any]) -> Any:
        """Run the steps.

        Raises:
            SampleError: If a step fails, or the sample has a label that is
                not a class, or an image with NaN or infinity.
        """
        image, labels = data.get('img_path'), data.get('seg_map_path')
        loaded = False
        for step in self.transforms:
            try:
                data = step(data)
            except Exception as error:  # whatever a decoder raises
                path = labels if isinstance(step, LoadAnnotations) else image
                raise SampleError(_what_failed(step, path, error)) from error
            if data is None:
                return None
            if not loaded and data.get('img') is not None:
                # Steps that make whole numbers of it would hide a NaN.
                loaded = True
                _check_finite(data['img'], image)
        _check_finite(data.get('inputs'), image)
        if self.num_classes is not None:
            self._check_labels(data, labels or image)
        return data

    def _check_labels(self, data: Mapping[str, Any], path: Any) -> None:
        sample = data.get('data_samples')
        if not isinstance(sample, SegDataSample) or 'gt_sem_seg' not in sample:
            return
        labels = sample.gt_sem_seg.data
        wrong = (labels < 0) | (labels >= self.num_classes)
        wrong &= labels != self.ignore_index
        if not wrong.any():
            return
        values = labels[wrong].unique().tolist()
        shown = ', '.join(map(str, values[:8])) + ', ...' * (len(values) > 8)
        raise SampleError(
            f'{path}: {int(wrong.sum())} pixels have the label {shown}, which '
            f'is none of the {self.num_classes} classes of the model and not '
            f'{self.ignore_index} (no label): correct the file, the label_map '
            f'or reduce_zero_label of the dataset, or num_classes; {LIST_ALL}'
        )


def _what_failed(step: Any, path: Any, error: Exception) -> str:
    """Say which file a step failed with."""
    text = re.sub(r' <_io\.\S+ object at \w+>', '', str(error))
    text = ' '.join(text.split()) or type(error).__name__
    if isinstance(error, FileNotFoundError):
        text = f'{error.filename or path} is missing'
        remedy = 'restore the file, or remove the image from the data set'
    elif isinstance(error, OSError) and error.strerror:
        text = f'{error.filename or path}: {error.strerror}'
        remedy = 'make the file readable'
    else:
        if str(path) not in text:
            text = f'{path}: {type(step).__name__} failed: {text}'
        remedy = 'look at this image and its labels'
        if isinstance(step, LoadImageFromFile | LoadAnnotations):
            remedy = 'write the file again from its source, or remove it'
    return f'{text}; {remedy}; {LIST_ALL}'


def _check_finite(values: Any, path: Any) -> None:
    """Refuse an image, an array or a tensor, that holds NaN or infinity."""
    if isinstance(values, torch.Tensor):
        values = values.numpy()
    if not isinstance(values, np.ndarray) or values.dtype.kind != 'f':
        return
    wrong = ~np.isfinite(values)
    if wrong.any():
        place = np.argwhere(wrong)[0].tolist()
        raise SampleError(
            f'{path}: {np.count_nonzero(wrong)} values of the image are NaN '
            f'or infinite, the first ({values[tuple(place)]}) at {place}: '
            'write the image again without them, for instance by '
            'numpy.nan_to_num, or remove it'
        )


def check_samples(
    dataset: Any, *, num_classes: int | None, ignore_index: int
) -> None:
    """Give a dataset, or those that it wraps, a :class:`CheckedPipeline`."""
    for leaf in _leaves(dataset):
        leaf.pipeline = CheckedPipeline(
            leaf.pipeline.transforms,
            num_classes=num_classes,
            ignore_index=ignore_index,
        )


def _leaves(dataset: Any) -> Iterator[BaseDataset]:
    if isinstance(dataset, ConcatDataset):
        for inner in dataset.datasets:
            yield from _leaves(inner)
    elif isinstance(
        dataset, RepeatDataset | ClassBalancedDataset | MultiImageMixDataset
    ):
        yield from _leaves(dataset.dataset)
    elif isinstance(dataset, BaseDataset):
        yield dataset
