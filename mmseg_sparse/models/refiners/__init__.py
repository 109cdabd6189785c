"""Refiners: registered modules that improve a prediction."""

from .class_label_filter import ClassLabelFilter
from .pixel_adaptive_refinement import PixelAdaptiveRefinement

__all__ = ['ClassLabelFilter', 'PixelAdaptiveRefinement']
