"""What is measured on predictions besides the metrics of mmseg."""

from .label_preference import (
    PrecisionByDistance,
    WeightedDistribution,
    blp_maps,
    distance_bins,
)
from .preference_analysis import (
    Measured,
    PreferenceAnalysis,
    PreferenceMaps,
    preference_maps,
)
from .probabilities import Predictor, Probabilities

__all__ = [
    'Measured',
    'PrecisionByDistance',
    'Predictor',
    'PreferenceAnalysis',
    'PreferenceMaps',
    'Probabilities',
    'WeightedDistribution',
    'blp_maps',
    'distance_bins',
    'preference_maps',
]
