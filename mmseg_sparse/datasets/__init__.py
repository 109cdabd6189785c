"""Datasets, and the transforms and formats that feed them."""

from . import transforms
from .camvid import CamVidDataset
from .simulate import simulate_scribbles
from .sparse_resize import resize_labels
from .sparse_rotate import rotate_labels
from .toy import ToyShapesDataset, make_toy_dataset

__all__ = [
    'CamVidDataset',
    'ToyShapesDataset',
    'make_toy_dataset',
    'resize_labels',
    'rotate_labels',
    'simulate_scribbles',
    'transforms',
]
