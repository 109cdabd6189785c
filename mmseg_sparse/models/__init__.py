"""Models: registered losses, heads, refiners and segmentors."""

from . import backbones, decode_heads, losses, refiners, segmentors

__all__ = ['backbones', 'decode_heads', 'losses', 'refiners', 'segmentors']
