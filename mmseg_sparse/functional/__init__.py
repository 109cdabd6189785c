"""The math: tensors in, tensors out; nothing here imports but torch."""

from .attention import Attention, attention_affinity
from .feature_consistency import (
    feature_consistency,
    feature_distance,
    feature_regularization,
)
from .potts import potts_energy
from .self_training import self_training_labels

__all__ = [
    'Attention',
    'attention_affinity',
    'feature_consistency',
    'feature_distance',
    'feature_regularization',
    'potts_energy',
    'self_training_labels',
]
