"""Metrics and analyses of predictions besides the metrics of mmseg."""

from ..labels.boundary_distance import distance_bins
from .label_preference import (
    Measured,
    PrecisionByDistance,
    PreferenceAnalysis,
    PreferenceMaps,
    WeightedDistribution,
    blp_maps,
    preference_maps,
)
from .probabilities import Predictor, Probabilities
from .pseudo_label_metric import PseudoLabelMetric
from .volume_metric import VolumeMetric

__all__ = [
    'Measured',
    'PrecisionByDistance',
    'Predictor',
    'PreferenceAnalysis',
    'PreferenceMaps',
    'Probabilities',
    'PseudoLabelMetric',
    'VolumeMetric',
    'WeightedDistribution',
    'blp_maps',
    'distance_bins',
    'preference_maps',
]
