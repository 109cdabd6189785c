"""Metrics and analyses of predictions besides the metrics of mmseg."""

from ..labels.boundary_distance import distance_bins
from .boundary_iou_metric import BoundaryIoUMetric
from .class_iou_metric import ClassIoUMetric
from .label_map_writer import LabelMapWriter
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
from .tag_metric import TagMetric
from .volume_metric import VolumeMetric

__all__ = [
    'BoundaryIoUMetric',
    'ClassIoUMetric',
    'LabelMapWriter',
    'Measured',
    'PrecisionByDistance',
    'Predictor',
    'PreferenceAnalysis',
    'PreferenceMaps',
    'Probabilities',
    'PseudoLabelMetric',
    'TagMetric',
    'VolumeMetric',
    'WeightedDistribution',
    'blp_maps',
    'distance_bins',
    'preference_maps',
]
