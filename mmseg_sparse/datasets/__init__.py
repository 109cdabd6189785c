"""Datasets, and the transforms and formats that feed them."""

from .camvid import CamVidDataset

__all__ = ['CamVidDataset']
