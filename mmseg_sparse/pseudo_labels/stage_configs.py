"""What the config of a stage reads, and what its training leaves."""

import copy
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmseg.registry import DATASETS

from mmseg_sparse.labels.image_list import ImageEntry

from ..engine.resume import LAST_CHECKPOINT, is_complete
from ..utils.config_tree import inner_datasets
from .whole_images import step_name

#: Supervision of an image with a mask.
STRONG = 'dense'
#: Where a config names files of weights.
WEIGHTS = ('checkpoint', 'pretrained', 'load_from')
#: Samplers that begin again for ever.
ENDLESS = ('InfiniteSampler', 'StrongWeakSampler')


def training_dataset(cfg: Config, where: str = 'train_dataloader') -> Any:
    """Return the config of the training data set, without wrappers.

    Raises:
        ValueError: If there is none, or it is joined of several.
    """
    dataset = (cfg.get('train_dataloader') or {}).get('dataset')
    found = [
        node
        for node in inner_datasets(dataset)
        if not (node.get('dataset') or node.get('datasets'))
    ]
    if len(found) != 1:
        raise ValueError(
            f'{where}: wanted a train_dataloader with one data set, got '
            f'{len(found)}'
        )
    return found[0]


def without_images(node: Any) -> Any:
    """Return a data set that has not looked for its images yet."""
    settings = {**node, 'pipeline': [], 'lazy_init': True}
    return DATASETS.build(copy.deepcopy(settings))


def tag_digest(dataset: Any) -> str | None:
    """Return a digest of a data set's file of tags, if there is one."""
    name = getattr(dataset, 'tag_file', None)
    return sha256(name) if name and Path(name).is_file() else None


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


def weight_files(node: Any) -> list[str]:
    """Return the local files of weights that a config names."""
    found: list[str] = []
    if isinstance(node, dict):
        for key, value in node.items():
            if key not in WEIGHTS or not isinstance(value, str):
                found += weight_files(value)
            elif '://' not in value:
                found.append(value)
    elif isinstance(node, list | tuple):
        for value in node:
            found += weight_files(value)
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
        ValueError: If the config does not say how long it trains, or counts
            epochs that never end.
    """
    train = cfg.get('train_cfg') or {}
    if train.get('max_iters'):
        return f'iter_{train["max_iters"]}.pth'
    if not train.get('max_epochs'):
        raise ValueError(
            f'{where}: wanted max_iters or max_epochs, got {train}'
        )
    sampler = (cfg.get('train_dataloader') or {}).get('sampler') or {}
    if sampler.get('type') and step_name(sampler) in ENDLESS:
        raise ValueError(
            f'{where}: max_epochs={train["max_epochs"]}, but an epoch of '
            f'{step_name(sampler)} never ends: wanted max_iters'
        )
    return f'epoch_{train["max_epochs"]}.pth'
