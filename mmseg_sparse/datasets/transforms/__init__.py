"""Pipeline transforms that make sparse labels or keep them alive."""

from .brightness import RandomBrightness
from .crop import SparseRandomCrop
from .formatting import PackSparseInputs
from .heatmaps import LoadHeatmaps, MoveHeatmaps, PackHeatmapInputs
from .loading import LoadDenseMasks, LoadSparseAnnotations
from .resize import SparseRandomResize, SparseResize
from .rotate import SparseRandomRotate
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
    'LoadDenseMasks',
    'LoadHeatmaps',
    'LoadSparseAnnotations',
    'MoveHeatmaps',
    'PackHeatmapInputs',
    'PackSparseInputs',
    'RandomBrightness',
    'ShrinkScribbles',
    'SimulateBlocks',
    'SimulatePoints',
    'SimulateScribbles',
    'SimulateTags',
    'SparseRandomCrop',
    'SparseRandomResize',
    'SparseRandomRotate',
    'SparseResize',
]
