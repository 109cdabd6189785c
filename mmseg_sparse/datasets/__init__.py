"""Datasets, and the transforms and formats that feed them."""

from ..labels.heatmap_file import (
    Heatmaps,
    heatmap_path,
    read_heatmaps,
    write_heatmaps,
)
from ..labels.simulate import (
    drop_scribbles,
    shrink_scribbles,
    simulate_blocks,
    simulate_points,
    simulate_scribbles,
    simulate_tags,
)
from ..labels.simulate.toy import make_toy_dataset
from . import transforms
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
    'Heatmaps',
    'SparseADE20KDataset',
    'SparseCOCODataset',
    'SparseCityscapesDataset',
    'SparsePascalVOCDataset',
    'SparseSegDataset',
    'SparseToyShapesDataset',
    'StrongWeakSampler',
    'ToyShapesDataset',
    'drop_scribbles',
    'heatmap_path',
    'make_toy_dataset',
    'read_heatmaps',
    'resize_labels',
    'rotate_labels',
    'shrink_scribbles',
    'simulate_blocks',
    'simulate_points',
    'simulate_scribbles',
    'simulate_tags',
    'transforms',
    'write_heatmaps',
]
