"""The math: tensors in, tensors out; nothing here imports but torch."""

from .attention import Attention, attention_affinity
from .feature_consistency import (
    feature_consistency,
    feature_distance,
    feature_regularization,
)
from .pixel_adaptive import (
    PixelAffinity,
    pixel_adaptive_refine,
    pixel_affinity,
)
from .potts import potts_energy
from .self_training import self_training_labels

__all__ = [
    'Attention',
    'PixelAffinity',
    'attention_affinity',
    'feature_consistency',
    'feature_distance',
    'feature_regularization',
    'pixel_adaptive_refine',
    'pixel_affinity',
    'potts_energy',
    'self_training_labels',
]
