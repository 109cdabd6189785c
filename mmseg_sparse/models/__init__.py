"""Models: registered losses, heads, refiners and segmentors."""

from . import backbones, losses, segmentors

__all__ = ['backbones', 'losses', 'segmentors']
