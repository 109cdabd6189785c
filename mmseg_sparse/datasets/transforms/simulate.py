"""Sparse labels in place of dense ones, in the pipeline of any dataset.

Each of these stands right after ``LoadAnnotations`` in the training pipeline
and replaces ``gt_seg_map``, so that nothing after it ever sees a dense pixel.
What it draws depends on ``seed`` and the image's file name alone: not on
epoch, worker, or the folder that the data lie in. The arguments are those of
the functions of :mod:`mmseg_sparse.datasets.simulate` of the same name.
"""

from abc import abstractmethod
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS
from numpy.typing import NDArray

from ..simulate import (
    drop_scribbles,
    shrink_scribbles,
    simulate_blocks,
    simulate_points,
    simulate_scribbles,
    simulate_tags,
)

Labels = NDArray[np.uint8]

#: What transforms that move pixels leave behind in a sample.
_MOVED = ('scale_factor', 'flip')


class _Simulation(BaseTransform):
    """Checks of a sample; subclasses say what becomes of its labels."""

    def __init__(self, ignore_index: int = 255) -> None:
        self.ignore_index = ignore_index

    @abstractmethod
    def change(self, labels: Labels, name: str) -> dict[str, Any]:
        """Return the entries of the sample to set.

        Args:
            labels: The label map as it is.
            name: The image's file name without folders and suffix.
        """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Replace the label map.

        Raises:
            ValueError: If this transform stands at a wrong place in the
                pipeline, the labels cannot be used, or other dense labels
                would stay in the sample.
        """
        name = type(self).__name__
        self._check_place(name, results)
        image = _image_name(name, results)
        try:
            changed = self.change(results['gt_seg_map'], image)
        except (TypeError, ValueError) as error:
            path = results.get('seg_map_path', image)
            raise ValueError(f'{name}: {path}: {error}') from error
        return {**results, **changed}

    @staticmethod
    def _check_place(name: str, results: dict[str, Any]) -> None:
        if 'gt_seg_map' not in results:
            where = (
                'before PackSegInputs'
                if 'data_samples' in results
                else 'after LoadAnnotations'
            )
            raise ValueError(
                f'{name} found no gt_seg_map in the sample: put it {where}'
            )
        shape = results['gt_seg_map'].shape[:2]
        whole = tuple(results.get('ori_shape', shape)[:2])
        moved = [key for key in _MOVED if results.get(key) is not None]
        if moved or shape != whole:
            sign = (
                f'{moved[0]!r} is set'
                if moved
                else f'the labels are {shape}, the image was {whole}'
            )
            raise ValueError(
                f'{name} needs the whole label map as it was loaded '
                f'({sign}): put it right after LoadAnnotations, before what '
                'resizes, crops or flips'
            )
        others = [
            key
            for key in results.keys() - {'gt_seg_map'}
            if key in results.get('seg_fields', ()) or _is_dense(key, results)
        ]
        if others:
            raise ValueError(
                f'{name} replaces gt_seg_map alone, and the sample also holds '
                f'the dense {", ".join(sorted(others))}: load or generate it '
                'later, from the sparse labels, or not at all'
            )

    def __repr__(self) -> str:
        options = ', '.join(f'{k}={v!r}' for k, v in vars(self).items())
        return f'{type(self).__name__}({options})'


def _is_dense(key: str, results: dict[str, Any]) -> bool:
    """Tell whether an entry is a label map of the image's size."""
    shape = getattr(results[key], 'shape', ())
    return key.startswith('gt_') and (
        tuple(shape[-2:]) == results['gt_seg_map'].shape
    )


def _image_name(name: str, results: dict[str, Any]) -> str:
    """Return the image's file name without folders and suffix.

    Folders differ between machines; labels must not.
    """
    path = results.get('img_path')
    if not path:
        raise ValueError(
            f'{name} names its random choices after the image file, and the '
            f'sample has no img_path (entries: {", ".join(sorted(results))})'
        )
    return PurePosixPath(str(path).replace('\\', '/')).stem


class _Drawing(_Simulation):
    """A simulation that makes a label map of a label map by a function."""

    #: The function, called with the options of the config.
    function: Any

    def __init__(
        self, *, seed: int = 0, ignore_index: int = 255, **options: Any
    ) -> None:
        super().__init__(ignore_index)
        self.seed = seed
        self.options = options
        # Wrong options are found when the pipeline is built.
        self.draw(np.full((2, 2), ignore_index, np.uint8), '')

    def draw(self, labels: Labels, name: str) -> Labels:
        """Return the labels in place of ``labels``."""
        drawn: Labels = type(self).function(
            labels,
            seed=self.seed,
            image_id=name,
            ignore_index=self.ignore_index,
            **self.options,
        )
        return drawn

    def change(self, labels: Labels, name: str) -> dict[str, Any]:
        """Return the new label map."""
        return dict(gt_seg_map=self.draw(labels, name))


@TRANSFORMS.register_module()
class SimulateScribbles(_Drawing):
    """Replace a dense mask by strokes, see ``simulate_scribbles``."""

    function = staticmethod(simulate_scribbles)


@TRANSFORMS.register_module()
class SimulatePoints(_Drawing):
    """Replace a dense mask by clicks, see ``simulate_points``."""

    function = staticmethod(simulate_points)


@TRANSFORMS.register_module()
class SimulateBlocks(_Drawing):
    """Replace a dense mask by rectangles, see ``simulate_blocks``."""

    function = staticmethod(simulate_blocks)


@TRANSFORMS.register_module()
class ShrinkScribbles(_Drawing):
    """Shorten the strokes of a sparse label map, see ``shrink_scribbles``."""

    function = staticmethod(shrink_scribbles)


@TRANSFORMS.register_module()
class DropScribbles(_Drawing):
    """Drop strokes of a sparse label map, see ``drop_scribbles``."""

    function = staticmethod(drop_scribbles)


@TRANSFORMS.register_module()
class SimulateTags(_Simulation):
    """Replace a mask by the tags of the image, see ``simulate_tags``.

    The tags are in ``gt_label`` (a float32 vector, one entry for each class
    but ``background``); ``gt_seg_map`` is left with no label at all.

    Args:
        num_classes: Number of classes, the background counted.
        background: The class that is no tag; None where every class is one.
        min_share: Classes with a smaller share of the pixels have no tag.
        ignore_index: Id of void, and of "no label" afterwards.
    """

    def __init__(
        self,
        num_classes: int,
        background: int | None = 0,
        min_share: float = 0.0,
        ignore_index: int = 255,
    ) -> None:
        super().__init__(ignore_index)
        self.num_classes = num_classes
        self.background = background
        self.min_share = min_share
        self.change(np.full((2, 2), ignore_index, np.uint8), '')

    def change(self, labels: Labels, name: str) -> dict[str, Any]:
        """Return the tags and an empty label map."""
        tags = simulate_tags(labels, **vars(self))
        return dict(
            gt_label=tags, gt_seg_map=np.full_like(labels, self.ignore_index)
        )
