"""Losses, each a thin module over mmseg_sparse.functional."""

from .attention_affinity_loss import AttentionAffinityLoss

__all__ = ['AttentionAffinityLoss']
