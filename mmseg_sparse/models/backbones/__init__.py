"""What reads a stock backbone, and backbones of our own."""

from .attention_recorder import AttentionRecorder

__all__ = ['AttentionRecorder']
