"""What reads a stock backbone, and backbones of our own."""

from .attention_recorder import AttentionRecorder
from .dual_cross_transformer import DualCrossTransformer
from .frozen_backbone import FrozenBackbone
from .token_centers import token_centers

__all__ = [
    'AttentionRecorder',
    'DualCrossTransformer',
    'FrozenBackbone',
    'token_centers',
]
