"""Losses, each a thin module over mmseg_sparse.functional."""

from .attention_affinity_loss import AttentionAffinityLoss
from .balanced_cross_entropy_loss import BalancedCrossEntropyLoss
from .dense_crf_loss import DenseCRFLoss
from .dfr_loss import DFRLoss
from .gated_crf_loss import GatedCRFLoss

__all__ = [
    'AttentionAffinityLoss',
    'BalancedCrossEntropyLoss',
    'DFRLoss',
    'DenseCRFLoss',
    'GatedCRFLoss',
]
