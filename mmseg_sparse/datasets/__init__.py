"""Datasets, samplers and pipeline transforms for sparse labels."""

import sys
from typing import Any

from . import _moved, transforms
from .benchmarks import (
    CamVidDataset,
    SparseADE20KDataset,
    SparseCityscapesDataset,
    SparseCOCODataset,
    SparsePascalVOCDataset,
    SparseToyShapesDataset,
    ToyShapesDataset,
)
from .samplers import StrongWeakSampler
from .sparse_seg import SparseSegDataset
from .transforms.resize import resize_labels
from .transforms.rotate import rotate_labels

__all__ = [
    'CamVidDataset',
    'SparseADE20KDataset',
    'SparseCOCODataset',
    'SparseCityscapesDataset',
    'SparsePascalVOCDataset',
    'SparseSegDataset',
    'SparseToyShapesDataset',
    'StrongWeakSampler',
    'ToyShapesDataset',
    'resize_labels',
    'rotate_labels',
    'transforms',
]

_moved.leave_modules(sys.modules[__name__])


def __getattr__(name: str) -> Any:
    if name in _moved.NAMES:
        return _moved.find(__name__, name, _moved.LABELS)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
