"""Segmentors: in which order things run."""

from .afa_segmentor import AFASegmentor
from .dual_branch_encoder_decoder import DualBranchEncoderDecoder
from .features import Features
from .heatmap_refiner import HeatmapRefiner
from .pseudo_labels import PseudoLabels
from .sparse_encoder_decoder import SparseEncoderDecoder

__all__ = [
    'AFASegmentor',
    'DualBranchEncoderDecoder',
    'Features',
    'HeatmapRefiner',
    'PseudoLabels',
    'SparseEncoderDecoder',
]
