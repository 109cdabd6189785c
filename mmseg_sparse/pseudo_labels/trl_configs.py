"""The settings in the configs of a TRL pipeline and of its stages."""

import copy
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmseg.registry import DATASETS

from mmseg_sparse.datasets import SparseSegDataset
from mmseg_sparse.labels.image_list import ImageEntry

from ..engine.training_run import file_sha256
from ..utils.config_tree import step_name
from .whole_images import leaf_datasets

#: Trainings whose configs a pipeline names.
TRAININGS = ('classifier', 'dctn1', 'dctn2', 'final')
#: Supervision of an image with a mask.
STRONG = 'dense'


@dataclass(frozen=True)
class TRLSettings:
    """The settings of a pipeline.

    Attributes:
        configs: Config files, by :data:`TRAININGS`; without the last two the
            pipeline ends after the first round.
        split: List of the images, strong ones ``dense``.
        work_dir: Folder that contains a folder for each stage.
        seed: Seed of every training.
        background: The class that is not a tag; None: every class is a tag.
        clf: Whether the predictions of the first and the second network are
            filtered by the tags (table 2).
        dense_masks: Folder of dense masks of the weak images, ``NAME.png``,
            to evaluate pseudo labels; None: there are none.
        classifier_checkpoint: Weights of a trained classifier; None: a stage
            trains it.
        shared: Work folder of another pipeline, whose classifier and
            activation maps are used, and made there if they are missing;
            with other settings, this pipeline makes its own. None: always.
    """

    configs: Mapping[str, Path]
    split: Path
    work_dir: Path
    seed: int = 0
    background: int | None = 0
    clf: tuple[bool, bool] = (True, True)
    dense_masks: Path | None = None
    classifier_checkpoint: Path | None = None
    shared: Path | None = None


def read_settings(
    path: str | Path, work_dir: str | None = None
) -> TRLSettings:
    """Read a pipeline's config.

    Paths of configs are relative to its own folder, others to the current
    one.

    Args:
        path: The config.
        work_dir: Replaces the config's.

    Raises:
        FileNotFoundError: If a file that it names is missing.
        ValueError: If an entry is missing, unknown or invalid.
    """
    cfg = Config.fromfile(path).to_dict()
    known = {*TRAININGS, *TRLSettings.__dataclass_fields__} - {'configs'}
    required = {'classifier', 'dctn1', 'split'}
    if {'dctn2', 'final'} & cfg.keys():
        required |= {'dctn2', 'final'}
    for name, found in (
        ('unknown', cfg.keys() - known), ('missing', required - cfg.keys()),
    ):  # fmt: skip
        if found:
            raise ValueError(
                f'{path}: {name} {", ".join(sorted(found))}; required are '
                f'{", ".join(sorted(required))}; optional are '
                f'{", ".join(sorted(known - required))}'
            )
    clf = tuple(cfg.get('clf', (True, True)))
    if len(clf) != 2 or not all(isinstance(on, bool) for on in clf):
        raise ValueError(f'{path}: clf must be two of True, False, got {clf}')
    folder = Path(path).resolve().parent
    default = f'work_dirs/{Path(path).stem}'
    settings = TRLSettings(
        configs={n: folder / cfg[n] for n in TRAININGS if n in cfg},
        split=Path(cfg['split']),
        work_dir=Path(work_dir or cfg.get('work_dir', default)),
        seed=cfg.get('seed', 0),
        background=cfg.get('background', 0),
        clf=clf,
        dense_masks=_path(cfg.get('dense_masks')),
        classifier_checkpoint=_path(cfg.get('classifier_checkpoint')),
        shared=_path(cfg.get('shared')),
    )
    files = [*settings.configs.items(), ('split', settings.split)]
    if settings.classifier_checkpoint:
        files.append(('classifier_checkpoint', settings.classifier_checkpoint))
    for name, file in files:
        if not file.is_file():
            raise FileNotFoundError(f'{path}: {name}: file not found: {file}')
    masks = settings.dense_masks
    if masks is not None and not masks.is_dir():
        raise FileNotFoundError(
            f'{path}: dense_masks: folder not found: {masks}'
        )
    return settings


def _path(value: str | None) -> Path | None:
    return None if value is None else Path(value)


def training_dataset(cfg: Config, where: str = 'train_dataloader') -> Any:
    """Return the config of the training data set, without wrappers.

    Raises:
        ValueError: If there is none, or several are concatenated.
    """
    found = leaf_datasets(cfg, 'train')
    if len(found) != 1:
        raise ValueError(
            f'{where}: expected a train_dataloader with one data set, got '
            f'{len(found)}'
        )
    return found[0]


def without_images(node: Any) -> Any:
    """Build a data set without looking for its images."""
    settings = {**node, 'pipeline': [], 'lazy_init': True}
    return DATASETS.build(copy.deepcopy(settings))


def tag_digest(dataset: Any) -> str | None:
    """Return a digest of a data set's file of tags, if there is one."""
    name = dataset.tag_file if isinstance(dataset, SparseSegDataset) else None
    return file_sha256(name) if name and Path(name).is_file() else None


def masks_digest(dataset: Any, entries: Sequence[ImageEntry]) -> str:
    """Return a digest of the strong images' masks.

    Raises:
        FileNotFoundError: If one is missing.
    """
    prefix = dataset.data_prefix
    folder = Path(prefix.get(STRONG, prefix.get('seg_map_path') or ''))
    total = hashlib.sha256()
    for entry in entries:
        if entry.supervision == STRONG:
            path = folder / f'{entry.name}{dataset.seg_map_suffix}'
            if not path.is_file():
                raise FileNotFoundError(
                    f'{entry.where}: {entry.name} is {STRONG}, but there is '
                    f'no mask {path}'
                )
            total.update(path.read_bytes())
    return total.hexdigest()


def steps_of(node: Any, name: str) -> Iterator[Any]:
    """Yield the dicts of a type anywhere in a config."""
    if isinstance(node, dict):
        if node.get('type') is not None and step_name(node) == name:
            yield node
        for value in node.values():
            yield from steps_of(value, name)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from steps_of(value, name)
