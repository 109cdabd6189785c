"""What reads a stock backbone, and backbones of our own."""

from .attention_recorder import AttentionRecorder
from .dual_cross_transformer import DualCrossTransformer
from .frozen_backbone import FrozenBackbone

__all__ = ['AttentionRecorder', 'DualCrossTransformer', 'FrozenBackbone']
