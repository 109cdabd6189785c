"""Pipeline transforms that make sparse labels or keep them alive."""

from .crop import SparseRandomCrop
from .formatting import PackSparseInputs
from .resize import SparseRandomResize, SparseResize
from .rotate import SparseRandomRotate

__all__ = [
    'PackSparseInputs',
    'SparseRandomCrop',
    'SparseRandomResize',
    'SparseRandomRotate',
    'SparseResize',
]

from .simulate import (
    DropScribbles,
    ShrinkScribbles,
    SimulateBlocks,
    SimulatePoints,
    SimulateScribbles,
    SimulateTags,
)

__all__ = [
    'DropScribbles',
    'ShrinkScribbles',
    'SimulateBlocks',
    'SimulatePoints',
    'SimulateScribbles',
    'SimulateTags',
]
