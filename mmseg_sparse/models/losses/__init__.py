"""Losses, each a thin module over mmseg_sparse.functional."""

from .attention_affinity_loss import AttentionAffinityLoss
from .dfr_loss import DFRLoss
from .gated_crf_loss import GatedCRFLoss

__all__ = ['AttentionAffinityLoss', 'DFRLoss', 'GatedCRFLoss']
