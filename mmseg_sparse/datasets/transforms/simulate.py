"""Sparse labels in place of dense ones, in the pipeline of any dataset.

Each of these stands right after ``LoadAnnotations`` in the training pipeline
and replaces ``gt_seg_map``, so that nothing after it ever sees a dense pixel.
What it draws depends only on ``seed`` and the image's file name, not on
epoch, worker, or the folder of the data. The arguments are those of
the functions of :mod:`mmseg_sparse.labels.simulate` of the same name.

``supervision`` becomes that of the new labels. A ``gt_label`` that was there
is made anew from them, or taken out where the number of classes is not known:
tags of a dense mask are dense knowledge. ``ShrinkScribbles`` and
``DropScribbles``, which start from sparse labels, keep tags that the dataset
itself gave beside them.
"""

from abc import abstractmethod
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS
from numpy.typing import NDArray

from ...labels.simulate import (
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
    def kind(self, before: str | None) -> str:
        """Return the supervision of the new labels, given that of the old."""

    def given_tags(self, results: dict[str, Any]) -> Any:
        """Return the tags of the sample that may stay."""
        return None

    @abstractmethod
    def change(
        self, labels: Labels, name: str, results: dict[str, Any]
    ) -> dict[str, Any]:
        """Return the entries of the sample to set.

        Args:
            labels: The label map as it is.
            name: The image's file name without folders and suffix.
            results: The sample.
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
            changed = self.change(results['gt_seg_map'], image, results)
        except (TypeError, ValueError) as error:
            path = results.get('seg_map_path', image)
            raise ValueError(f'{name}: {path}: {error}') from error
        kind = self.kind(results.get('supervision'))
        changed = {**results, 'supervision': kind, **changed}
        if kind != 'tag' and 'gt_label' in results:
            _renew_tags(changed, self.given_tags(results), self.ignore_index)
        return changed

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


def _renew_tags(
    results: dict[str, Any], given: Any, ignore_index: int
) -> None:
    """Set ``gt_label`` to what the sample's labels and given tags show."""
    del results['gt_label']
    count = results.get('num_classes')
    if count is not None:
        results['gt_label'] = simulate_tags(
            results['gt_seg_map'],
            num_classes=count,
            background=results.get('background'),
            ignore_index=ignore_index,
        )
    if given is not None:
        shown = results.get('gt_label', given)
        results['gt_label'] = np.maximum(given, shown)
    results['given_tags'] = given


def _is_dense(key: str, results: dict[str, Any]) -> bool:
    """Tell whether an entry is a label map of the image's size."""
    value = results[key]
    return (
        key.startswith('gt_')
        and isinstance(value, np.ndarray | torch.Tensor)
        and tuple(value.shape[-2:]) == results['gt_seg_map'].shape
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
    #: What it draws.
    supervision = 'scribble'

    def __init__(
        self, *, seed: int = 0, ignore_index: int = 255, **options: Any
    ) -> None:
        super().__init__(ignore_index)
        self.seed = seed
        self.options = options
        # Wrong options are found when the pipeline is built.
        self.draw(np.full((2, 2), ignore_index, np.uint8), '')

    def kind(self, before: str | None) -> str:
        """Return the supervision of the new labels."""
        # Tags alone give nothing to draw and stay what they are.
        return 'tag' if before == 'tag' else self.supervision

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

    def change(
        self, labels: Labels, name: str, results: dict[str, Any]
    ) -> dict[str, Any]:
        """Return the new label map."""
        return dict(gt_seg_map=self.draw(labels, name))


@TRANSFORMS.register_module()
class SimulateScribbles(_Drawing):
    """Replace a dense mask by strokes, see ``simulate_scribbles``."""

    function = staticmethod(simulate_scribbles)
    supervision = 'scribble'


@TRANSFORMS.register_module()
class SimulatePoints(_Drawing):
    """Replace a dense mask by clicks, see ``simulate_points``."""

    function = staticmethod(simulate_points)
    supervision = 'point'


@TRANSFORMS.register_module()
class SimulateBlocks(_Drawing):
    """Replace a dense mask by rectangles, see ``simulate_blocks``."""

    function = staticmethod(simulate_blocks)
    supervision = 'block'


class _Reduction(_Drawing):
    """A drawing that starts from sparse labels."""

    def kind(self, before: str | None) -> str:
        """Return that of the old labels; what was dense is strokes now."""
        return before if before in ('point', 'block', 'tag') else 'scribble'

    def given_tags(self, results: dict[str, Any]) -> Any:
        """Return the tags that the dataset gave, not those of its maps."""
        return results.get('given_tags', results['gt_label'])


@TRANSFORMS.register_module()
class ShrinkScribbles(_Reduction):
    """Shorten the strokes of a sparse label map, see ``shrink_scribbles``."""

    function = staticmethod(shrink_scribbles)


@TRANSFORMS.register_module()
class DropScribbles(_Reduction):
    """Drop strokes of a sparse label map, see ``drop_scribbles``."""

    function = staticmethod(drop_scribbles)


@TRANSFORMS.register_module()
class SimulateTags(_Simulation):
    """Replace a mask by the tags of the image, see ``simulate_tags``.

    The tags are in ``gt_label`` (a float32 vector, one entry for each class
    but ``background``); ``gt_seg_map`` is left with no label at all.

    Args:
        num_classes: Number of classes, the background counted.
        background: The class that is not a tag; None = every class is one;
            'auto' = what the dataset says (``SparseSegDataset`` does), and
            None where it says nothing.
        min_share: Classes with a smaller share of the pixels have no tag.
        ignore_index: Id of void, and of "no label" afterwards.
    """

    def __init__(
        self,
        num_classes: int,
        background: int | str | None = 'auto',
        min_share: float = 0.0,
        ignore_index: int = 255,
    ) -> None:
        super().__init__(ignore_index)
        self.num_classes = num_classes
        self.background = background
        self.min_share = min_share
        self.change(np.full((2, 2), ignore_index, np.uint8), '', {})

    def kind(self, before: str | None) -> str:
        """Return the supervision of the new labels."""
        return 'tag'

    def change(
        self, labels: Labels, name: str, results: dict[str, Any]
    ) -> dict[str, Any]:
        """Return the tags and an empty label map."""
        options = dict(vars(self))
        if self.background == 'auto':
            options['background'] = results.get('background')
        tags = simulate_tags(labels, **options)
        return dict(
            gt_label=tags, gt_seg_map=np.full_like(labels, self.ignore_index)
        )
