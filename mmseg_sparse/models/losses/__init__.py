"""Losses, each a thin module over mmseg_sparse.functional."""

from .attention_affinity_loss import AttentionAffinityLoss
from .balanced_cross_entropy_loss import BalancedCrossEntropyLoss
from .blp_loss import AnnotationLoss, BLPLoss, PartialFocalLoss
from .dense_crf_loss import DenseCRFLoss
from .dfr_loss import DFRLoss
from .gated_crf_loss import GatedCRFLoss
from .tree_energy_loss import TreeEnergyLoss

__all__ = [
    'AnnotationLoss',
    'AttentionAffinityLoss',
    'BLPLoss',
    'BalancedCrossEntropyLoss',
    'DFRLoss',
    'DenseCRFLoss',
    'GatedCRFLoss',
    'PartialFocalLoss',
    'TreeEnergyLoss',
]
