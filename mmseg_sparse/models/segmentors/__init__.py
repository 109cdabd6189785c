"""Segmentors: in which order things run."""

from .features import Features
from .sparse_encoder_decoder import SparseEncoderDecoder

__all__ = ['Features', 'SparseEncoderDecoder']
