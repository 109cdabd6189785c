"""Decode heads with layers and losses of their own."""

from .afa_head import AFAHead
from .affinity_from_attention import AffinityFromAttention
from .blp_head import BLPHead
from .dctn_head import DCTNFPNHead, DCTNHead
from .fused_levels_uper_head import FusedLevelsUPerHead

__all__ = [
    'AFAHead',
    'AffinityFromAttention',
    'BLPHead',
    'DCTNFPNHead',
    'DCTNHead',
    'FusedLevelsUPerHead',
]
