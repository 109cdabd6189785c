"""What reads a stock backbone, and backbones of our own."""

from .attention_recorder import AttentionRecorder
from .dilated_vgg import DilatedVGG
from .dual_cross_transformer import DualCrossTransformer
from .frozen_backbone import FrozenBackbone
from .token_centers import token_centers

__all__ = [
    'AttentionRecorder',
    'DilatedVGG',
    'DualCrossTransformer',
    'FrozenBackbone',
    'token_centers',
]
