"""Datasets, and the transforms and formats that feed them."""

from .camvid import CamVidDataset
from .simulate import simulate_scribbles
from .toy import ToyShapesDataset, make_toy_dataset

__all__ = [
    'CamVidDataset',
    'ToyShapesDataset',
    'make_toy_dataset',
    'simulate_scribbles',
]
