"""The images of a config's data set, whole, and the model that sees them."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint
from mmseg.registry import DATASETS, MODELS
from mmseg.structures import SegDataSample
from torch import nn

from ..models.segmentors import AFASegmentor
from ..utils.config_tree import inner_datasets, step_name
from ..utils.untrusted import one_line

SPLITS = ('train', 'val', 'test')
#: Steps that make labels: taken from the split's pipeline, not from testing.
_LABELS = frozenset({
    'LoadAnnotations', 'LoadSparseAnnotations', 'SimulateScribbles',
    'SimulatePoints', 'SimulateBlocks', 'SimulateTags', 'ShrinkScribbles',
    'DropScribbles',
})  # fmt: skip
_HEATMAPS = 'LoadHeatmaps'


@dataclass(frozen=True)
class WholeImage:
    """An image of a data set.

    Attributes:
        name: Path below the folder of images, without the suffix.
        path: The image.
        dataset: The data set.
        index: Index of the image in it.
    """

    name: str
    path: str
    dataset: Any
    index: int

    @property
    def info(self) -> dict[str, Any]:
        """What the data set knows of the image."""
        return self.dataset.get_data_info(self.index)

    def load(self) -> dict[str, Any]:
        """Return the packed sample.

        Raises:
            ValueError: If the pipeline returns no sample.
        """
        sample = self.dataset.pipeline(self.info)
        if sample is None:
            raise ValueError(f'{self.path}: the pipeline returns no sample')
        return sample


@dataclass(frozen=True)
class WholeImages:
    """The images of a split.

    Attributes:
        items: In the data set's order; each has another name.
        classes: Class names.
        palette: Their colours; empty if the data set has none.
        roots: Folder of images of each data set. Where it is None, the names
            are those of the files, without folders.
        pipelines: Steps that each data set's samples go through.
    """

    items: Sequence[WholeImage]
    classes: tuple[str, ...]
    palette: tuple[tuple[int, ...], ...]
    roots: tuple[str | None, ...]
    pipelines: tuple[list[dict[str, Any]], ...]


def whole_images(
    cfg: Config, split: str = 'train', ann_file: str | None = None
) -> WholeImages:
    """Return every image of a data loader's data set, once.

    Samples go through :func:`whole_image_pipeline`. Data sets are taken out
    of wrappers that repeat or join them.

    Args:
        cfg: The config.
        split: ``'train'``, ``'val'`` or ``'test'``.
        ann_file: List of images in place of the data set's; as in the
            config, below its ``data_root`` if relative.

    Raises:
        ValueError: If the config has no such data set, or images cannot be
            distinguished by their names.
    """
    if split not in SPLITS:
        raise ValueError(
            f'split must be one of {", ".join(SPLITS)}, got {split!r}'
        )
    init_default_scope(cfg.get('default_scope') or 'mmseg')
    leaves = leaf_datasets(cfg, split)
    if not leaves:
        raise ValueError(f'the config has no {split}_dataloader.dataset')
    if ann_file is not None and len(leaves) > 1:
        raise ValueError(
            f'ann_file={ann_file!r}: the {split} data set is joined of '
            f'{len(leaves)}'
        )
    testing = test_pipeline(cfg)
    items, metas, roots, pipelines = [], [], [], []
    for leaf in leaves:
        own = leaf.get('pipeline') or []
        steps = list(own)
        if split == 'train':
            steps = whole_image_pipeline(own, testing)
        settings = {**copy.deepcopy(dict(leaf)), 'pipeline': steps}
        if ann_file is not None:
            settings['ann_file'] = ann_file
        dataset = DATASETS.build(copy.deepcopy(settings))
        dataset.full_init()
        found, root = _items(dataset)
        items += found
        metas.append(dataset.metainfo)
        roots.append(root)
        pipelines.append(steps)
    _check_names(items)
    classes, palette = _classes(metas, split)
    return WholeImages(
        items, classes, palette, tuple(roots), tuple(pipelines)
    )  # fmt: skip


def whole_image_pipeline(
    own: Sequence[Mapping[str, Any]], testing: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return the steps of testing, with what a data set knows of its images.

    How the image is loaded and sized is as in testing; labels, heat maps and
    how a sample is packed come from the data set's own pipeline, where that
    has such steps. Labels are loaded where testing loads them, or before
    packing: they keep the image's own size.

    Args:
        own: Pipeline of the data set, as in training.
        testing: Pipeline of testing; its last step packs.
    """
    labels = [dict(step) for step in own if step_name(step) in _LABELS]
    heatmaps = [dict(s) for s in own if step_name(s) == _HEATMAPS]
    steps: list[dict[str, Any]] = []
    place = None
    for step in testing:
        name = step_name(step)
        if name in _LABELS:
            place = len(steps) if place is None else place
        elif name == _HEATMAPS and heatmaps:
            steps += heatmaps
        else:
            steps.append(dict(step))
    if own and steps and step_name(own[-1]).startswith('Pack'):
        steps[-1] = dict(own[-1])
    place = len(steps) - 1 if place is None else place
    return copy.deepcopy([*steps[:place], *labels, *steps[place:]])


def leaf_datasets(cfg: Config, split: str) -> list[Any]:
    """Return the configs of a split's data sets, without their wrappers."""
    dataset = (cfg.get(f'{split}_dataloader') or {}).get('dataset')
    return [
        node
        for node in inner_datasets(dataset)
        if not (node.get('dataset') or node.get('datasets'))
    ]


def test_pipeline(cfg: Config) -> list[dict[str, Any]]:
    """Return the steps that prepare images for testing.

    Raises:
        ValueError: If the config has none.
    """
    found = [
        leaf.get('pipeline')
        for split in ('test', 'val')
        for leaf in leaf_datasets(cfg, split)
    ]
    for pipeline in [*found, cfg.get('test_pipeline')]:
        if pipeline:
            return pipeline
    raise ValueError(
        'the config has no test_dataloader.dataset.pipeline that says how '
        'images are prepared'
    )


def _items(dataset: Any) -> tuple[list[WholeImage], str | None]:
    """Return the images of a data set, and the folder they are below."""
    paths = [dataset.get_data_info(i)['img_path'] for i in range(len(dataset))]
    root = (getattr(dataset, 'data_prefix', None) or {}).get('img_path')
    if root and not all(PurePath(p).is_relative_to(root) for p in paths):
        root = None
    items = []
    for index, path in enumerate(paths):
        name = PurePath(path)
        name = name.relative_to(root) if root else PurePath(name.name)
        stem = name.with_suffix('').as_posix()
        items.append(WholeImage(stem, str(path), dataset, index))
    return items, root or None


def _check_names(items: Sequence[WholeImage]) -> None:
    seen: dict[str, str] = {}
    for item in items:
        if item.name in seen:
            raise ValueError(
                f'{seen[item.name]} and {item.path} would be written to one '
                f'file, {item.name}: take the data sets one by one'
            )
        seen[item.name] = item.path


def _classes(
    metas: Sequence[Mapping[str, Any]], split: str
) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
    names = {tuple(meta.get('classes') or ()) for meta in metas}
    if len(names) != 1 or names == {()}:
        raise ValueError(
            f'the {split} data set has no class names, or is joined of data '
            f'sets with different ones: {sorted(names)}'
        )
    palette = metas[0].get('palette') or ()
    return names.pop(), tuple(tuple(colour) for colour in palette)


def load_segmentor(cfg: Config, checkpoint: str, device: str) -> nn.Module:
    """Build a config's model with the weights of a checkpoint.

    Raises:
        ValueError: If they are not of this model.
    """
    init_default_scope(cfg.get('default_scope') or 'mmseg')
    settings = copy.deepcopy(cfg.model)
    settings.pop('pretrained', None)
    model = revert_sync_batchnorm(MODELS.build(settings))
    try:
        load_checkpoint(model, checkpoint, map_location='cpu', strict=True)
    except RuntimeError as error:
        raise ValueError(
            f'{checkpoint} is not a checkpoint of the config: '
            + one_line(error)[:300]
        ) from error
    return model.to(device).eval()


def make_pseudo_labels(model: nn.Module, wanted: bool) -> None:
    """Set whether predictions of an ``AFASegmentor`` hold pseudo labels."""
    if isinstance(model, AFASegmentor):
        model.test_cfg['pseudo_labels'] = wanted


def best_device() -> str:
    """Return the GPU, where there is one."""
    return 'cuda:0' if torch.cuda.is_available() else 'cpu'


def to_batch(
    model: Any, sample: Mapping[str, Any]
) -> tuple[torch.Tensor, list[SegDataSample]]:
    """Return a sample as the model's inputs, a batch of one."""
    batch = dict(
        inputs=[sample['inputs']], data_samples=[sample['data_samples']]
    )
    data = model.data_preprocessor(batch, False)
    return data['inputs'], data['data_samples']


def predict(model: Any, image: WholeImage) -> SegDataSample:
    """Return what a model predicts of an image."""
    inputs, samples = to_batch(model, image.load())
    (result,) = model.predict(inputs, samples)
    return result
