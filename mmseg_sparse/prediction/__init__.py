"""Predictions of images without labels: ``predict``."""
