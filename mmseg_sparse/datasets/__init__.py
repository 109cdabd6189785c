"""Datasets, and the transforms and formats that feed them."""

from . import transforms
from .benchmarks import (
    SparseADE20KDataset,
    SparseCityscapesDataset,
    SparseCOCODataset,
    SparsePascalVOCDataset,
)
from .camvid import CamVidDataset
from .simulate import simulate_scribbles
from .sparse_resize import resize_labels
from .sparse_rotate import rotate_labels
from .sparse_seg import SparseSegDataset
from .toy import ToyShapesDataset, make_toy_dataset

__all__ = [
    'CamVidDataset',
    'SparseADE20KDataset',
    'SparseCOCODataset',
    'SparseCityscapesDataset',
    'SparsePascalVOCDataset',
    'SparseSegDataset',
    'ToyShapesDataset',
    'make_toy_dataset',
    'resize_labels',
    'rotate_labels',
    'simulate_scribbles',
    'transforms',
]
