"""Segmentors: in which order things run."""

from .afa_segmentor import AFASegmentor
from .features import Features
from .heatmap_refiner import HeatmapRefiner
from .pseudo_labels import PseudoLabels
from .sparse_encoder_decoder import SparseEncoderDecoder

__all__ = [
    'AFASegmentor',
    'Features',
    'HeatmapRefiner',
    'PseudoLabels',
    'SparseEncoderDecoder',
]
