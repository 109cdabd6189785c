"""Refiners: registered modules that improve a prediction."""

from .class_label_filter import ClassLabelFilter

__all__ = ['ClassLabelFilter']
