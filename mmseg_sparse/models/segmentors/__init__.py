"""Segmentors: in which order things run."""

from .features import Features
from .heatmap_refiner import HeatmapRefiner
from .sparse_encoder_decoder import SparseEncoderDecoder

__all__ = ['Features', 'HeatmapRefiner', 'SparseEncoderDecoder']
