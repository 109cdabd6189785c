"""Refiners: registered modules that improve a prediction."""

from .class_label_filter import ClassLabelFilter
from .dense_crf import DenseCRF
from .image_refiner import ImageRefiner
from .local_aggregation import LocalAggregation
from .pixel_adaptive_refinement import PixelAdaptiveRefinement

__all__ = [
    'ClassLabelFilter',
    'DenseCRF',
    'ImageRefiner',
    'LocalAggregation',
    'PixelAdaptiveRefinement',
]
