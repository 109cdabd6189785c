"""The labels that a config trains on."""

import copy
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS, TRANSFORMS
from PIL import Image

from ..engine.training_run import to_json
from ..pseudo_labels.whole_images import leaf_datasets
from ..utils.config_tree import step_name

#: Steps of a pipeline, by the beginnings of their names, that make labels.
MAKERS = ('LoadAnnotations', 'LoadSparseAnnotations', 'Simulate', 'Shrink',
          'Drop')  # fmt: skip


class TrainingLabels:
    """The label maps of a config's training data, which are read once.

    Args:
        cfg: The config.
    """

    def __init__(self, cfg: Config) -> None:
        """Keep the data sets; nothing is read."""
        init_default_scope(cfg.get('default_scope', 'mmseg'))
        self._nodes = leaf_datasets(cfg, 'train')

    def digest(self) -> str:
        """Return a digest of the label files and the names of the images.

        Raises:
            FileNotFoundError: If the data are not there.
        """
        parts = [_digest(_key(node)) for node in self._nodes]
        return hashlib.sha256(''.join(parts).encode()).hexdigest()

    def share(self) -> float:
        """Return the share of labelled pixels, in percent.

        Labels are counted as the pipeline loads or simulates them, before
        any other step.
        """
        counts = np.sum([_count(_key(node)) for node in self._nodes], axis=0)
        return 100 * float(counts[0]) / max(int(counts[1]), 1)


def _key(node: Any) -> str:
    """Return a data set's config with only the steps that make labels."""
    steps = [
        dict(step)
        for step in node.get('pipeline') or ()
        if step_name(step).startswith(MAKERS)
    ]
    return to_json({**node, 'pipeline': steps})


def _dataset(key: str) -> tuple[Any, list[dict[str, Any]]]:
    node = json.loads(key)
    steps = node.pop('pipeline')
    return DATASETS.build({**node, 'pipeline': []}), steps


@cache
def _digest(key: str) -> str:
    dataset, _ = _dataset(key)
    total = hashlib.sha256()
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        total.update(Path(info['img_path']).name.encode())
        labels = info.get('seg_map_path')
        if labels:
            total.update(hashlib.sha256(Path(labels).read_bytes()).digest())
        total.update(to_json(info.get('gt_label'))[:9999].encode())
    return total.hexdigest()


@cache
def _count(key: str) -> tuple[int, int]:
    """Return the numbers of labelled pixels and of all pixels."""
    dataset, steps = _dataset(key)
    transforms = [TRANSFORMS.build(copy.deepcopy(step)) for step in steps]
    labelled = pixels = 0
    for index in range(len(dataset)):
        results = dataset.get_data_info(index)
        with Image.open(results['img_path']) as image:
            pixels += image.width * image.height
        if not results.get('seg_map_path'):
            continue  # it has tags alone
        for transform in transforms:
            results = transform(results)
        labels = results['gt_seg_map']
        labelled += int((labels != dataset.ignore_index).sum())
    return labelled, pixels
