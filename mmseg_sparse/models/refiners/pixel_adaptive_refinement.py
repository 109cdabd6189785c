"""Pixel-adaptive refinement (PAR) as a refiner."""

from collections.abc import Sequence
from functools import partial

import torch
from mmseg.registry import MODELS
from torch import Tensor

from mmseg_sparse.functional import pixel_affinity
from mmseg_sparse.functional.pixel_adaptive import (
    DILATIONS,
    NUM_ITERS,
    W_MIX,
    W_POS,
    W_RGB,
)

from .image_refiner import ImageRefiner


@MODELS.register_module()
class PixelAdaptiveRefinement(ImageRefiner):
    """AFA's PAR: predictions follow the edges of the image.

    The formula is :func:`mmseg_sparse.functional.pixel_adaptive_refine`.
    It has no parameters and suits any segmentor, in place of a dense CRF::

        test_cfg=dict(mode='whole',
                      refiner=dict(type='PixelAdaptiveRefinement'))

    The dilations are in pixels of the size it refines at. At test time that
    is the input's, at which the predictions are compared; AFA halves the
    images in training (``scale=0.5``). On images much smaller than VOC's
    the paper's farther dilations cross whole objects; ``'auto'`` leaves them
    out.

    Args:
        dilations: Distances of the neighbours, in pixels; ``'auto'``: those
            of the paper that suit the size it refines at
            (:func:`~mmseg_sparse.functional.pixel_adaptive.dilations_for`).
        num_iters: Iterations; 10 as in the release, 15 in the paper's tables.
        w_rgb: Width of the colours' kernel, in standard deviations.
        w_pos: Width of the positions' kernel, in standard deviations.
        w_mix: Weight of the positions' kernel.
        scale: Size to refine at, as a share of the image's; None: that of
            the logits.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        dilations: Sequence[int] | str = DILATIONS,
        num_iters: int = NUM_ITERS,
        w_rgb: float = W_RGB,
        w_pos: float = W_POS,
        w_mix: float = W_MIX,
        scale: float | None = 1.0,
    ) -> None:
        """Check the arguments and keep them."""
        super().__init__(scale)
        self.affinity = partial(
            pixel_affinity,
            dilations=(
                dilations if isinstance(dilations, str) else tuple(dilations)
            ),
            w_rgb=w_rgb,
            w_pos=w_pos,
            w_mix=w_mix,
        )
        self.num_iters = num_iters
        # Wrong arguments raise here, not in the first batch.
        pixel = torch.zeros(1, 1, 1, 1)
        self.refine_maps(pixel, pixel, None, None)

    def refine_maps(
        self,
        prob: Tensor,
        image: Tensor,
        valid: Tensor | None,
        present: Tensor | None,
    ) -> Tensor:
        """Refine maps of the size of the image."""
        return self.affinity(image, valid=valid).propagate(
            prob, num_iters=self.num_iters, present=present
        )
