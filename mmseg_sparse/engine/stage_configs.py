"""What the config of a stage reads, and what its training leaves."""

import copy
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmseg.registry import DATASETS

from mmseg_sparse.datasets.supervision import ImageEntry

from .export_data import inner_datasets
from .files import LAST_CHECKPOINT, is_complete
from .whole_images import step_name

#: Supervision of an image with a mask.
STRONG = 'dense'
#: Where a config names files of weights.
WEIGHTS = ('checkpoint', 'pretrained', 'load_from')


def training_datasets(cfg: Config) -> list[Any]:
    """Return the configs of the training data sets, without wrappers."""
    return [
        node
        for node in inner_datasets(cfg.train_dataloader.dataset)
        if not (node.get('dataset') or node.get('datasets'))
    ]


def without_images(node: Any) -> Any:
    """Return a data set that has not looked for its images yet."""
    settings = {**node, 'pipeline': [], 'lazy_init': True}
    return DATASETS.build(copy.deepcopy(settings))


def folder_of(dataset: Any, key: str) -> str:
    """Return the folder of a data set's files, as its items have it."""
    folder = (dataset.get('data_prefix') or {}).get(key) or ''
    return os.path.join(dataset.get('data_root') or '', folder)


def tag_digests(cfg: Config) -> list[str]:
    """Return digests of the files of tags of a config's data sets."""
    found = []
    for dataset in training_datasets(cfg):
        if dataset.get('tag_file'):
            path = Path(dataset.get('data_root') or '', dataset.tag_file)
            if path.is_file():
                found.append(sha256(path))
    return found


def masks_digest(cfg: Config, entries: Sequence[ImageEntry]) -> str:
    """Return a digest of the strong images' masks.

    Raises:
        FileNotFoundError: If one is missing in all training data sets.
    """
    folders = []
    for node in training_datasets(cfg):
        dataset = without_images(node)
        prefix = dataset.data_prefix
        folder = Path(prefix.get(STRONG, prefix.get('seg_map_path') or ''))
        folders.append((folder, dataset.seg_map_suffix))
    total = hashlib.sha256()
    for entry in entries:
        if entry.supervision != STRONG:
            continue
        paths = [
            folder / f'{entry.name}{suffix}' for folder, suffix in folders
        ]
        found = next((path for path in paths if path.is_file()), None)
        if found is None:
            raise FileNotFoundError(
                f'{entry.where}: {entry.name} is {STRONG}, but there is no '
                f'mask {paths[0]}'
            )
        total.update(found.read_bytes())
    return total.hexdigest()


def weight_digests(node: Any) -> dict[str, str]:
    """Return digests of the local files of weights that a config names."""
    found: dict[str, str] = {}
    if isinstance(node, dict):
        for key, value in node.items():
            if key in WEIGHTS and isinstance(value, str):
                if Path(value).is_file():
                    found[value] = sha256(value)
            else:
                found |= weight_digests(value)
    elif isinstance(node, list | tuple):
        for value in node:
            found |= weight_digests(value)
    return found


def sha256(path: str | Path) -> str:
    """Return the digest of a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def to_json(content: Any) -> str:
    """Return content as JSON, and what JSON has not as its ``repr``."""
    return json.dumps(content, default=repr, ensure_ascii=False)


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


def last_checkpoint(folder: Path, cfg: Config) -> str | None:
    """Return the name of a finished training's checkpoint, if there is one."""
    last = folder / LAST_CHECKPOINT
    if not last.is_file():
        return None
    name = Path(last.read_text().strip()).name
    done = name == last_name(cfg) and is_complete(folder / name)
    return name if done else None


def last_name(cfg: Config, where: str = 'train_cfg') -> str:
    """Return the name of a finished training's checkpoint.

    Raises:
        ValueError: If the config does not say how long it trains.
    """
    train = cfg.get('train_cfg') or {}
    for unit, key in (('iter', 'max_iters'), ('epoch', 'max_epochs')):
        if train.get(key):
            return f'{unit}_{train[key]}.pth'
    raise ValueError(f'{where}: wanted max_iters or max_epochs, got {train}')
