"""Refiners: registered modules that improve a prediction."""

from .class_label_filter import ClassLabelFilter
from .local_aggregation import LocalAggregation
from .pixel_adaptive_refinement import PixelAdaptiveRefinement

__all__ = [
    'ClassLabelFilter',
    'LocalAggregation',
    'PixelAdaptiveRefinement',
]
