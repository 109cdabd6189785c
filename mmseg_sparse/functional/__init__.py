"""The math: tensors in, tensors out; nothing here imports but torch."""

from .attention import Attention, attention_affinity

__all__ = ['Attention', 'attention_affinity']
