"""Pixel-adaptive refinement (PAR) as a refiner."""

from collections.abc import Sequence
from functools import partial

import torch
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor

from mmseg_sparse.functional import (
    pixel_affinity,
    resize_inside,
    valid_on_grid,
)
from mmseg_sparse.functional.pixel_adaptive import (
    DILATIONS,
    NUM_ITERS,
    W_MIX,
    W_POS,
    W_RGB,
)
from mmseg_sparse.functional.resize import fully_valid_on_grid, shrink_image

from ..features import Features


@MODELS.register_module()
class PixelAdaptiveRefinement(BaseModule):
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
        super().__init__()
        if scale is not None and not 0 < scale <= 1:
            raise ValueError(f'scale must lie in (0, 1], got {scale}')
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
        self.scale = scale
        # Wrong arguments raise here, not in the first batch.
        pixel = torch.zeros(1, 1, 1, 1)
        self._refine(pixel, pixel, None, None)

    @torch.no_grad()
    def refine(
        self,
        prob: Tensor,
        image: Tensor,
        valid: Tensor | None = None,
        present: Tensor | None = None,
    ) -> Tensor:
        """Refine maps of the image's size, without gradient.

        Args:
            prob: ``(N, C, H, W)``.
            image: ``(N, 3, H, W)``, normalised or not.
            valid: Bool ``(N, H, W)``, a rectangle in each image, false in
                the padding around it; None: no padding.
            present: Bool ``(N, C)``: the other classes are left out of the
                computation and become 0. None: all.

        Returns:
            ``(N, C, H, W)``; in padding, ``prob`` as it was.

        Raises:
            ValueError: If shapes disagree.
        """
        return self._refine(prob, image, valid, present)

    def forward(
        self,
        logits: Tensor,
        feats: Features,
        labels: Tensor | None = None,
        valid: Tensor | None = None,
    ) -> Tensor:
        """Return the logarithm of the refined probabilities.

        Args:
            logits: ``(N, K, h, w)``, of any size.
            feats: ``Features`` with the image, ``(N, 3, H, W)``.
            labels: Not looked at.
            valid: Bool ``(N, H, W)``, as in :meth:`refine`.

        Returns:
            ``(N, K, h, w)``, in the dtype of ``logits``; in padding,
            ``logits`` as they were.
        """
        image = feats.image
        assert image is not None
        size: tuple[int, ...]
        if self.scale is None:
            size = logits.shape[2:]
        else:
            height, width = image.shape[2:]
            size = (
                max(round(height * self.scale), 1),
                max(round(width * self.scale), 1),
            )
        wide = torch.promote_types(logits.dtype, torch.float32)
        prob = logits.to(wide).softmax(1)
        given = inside = None
        if valid is not None:
            given = valid_on_grid(valid, logits.shape[2:])
            inside = fully_valid_on_grid(valid, size)
        prob = _resize(prob, size, given)
        if image.shape[2:] != size:
            image = shrink_image(image, size)
        refined = self._refine(prob, image, inside, None)
        refined = _resize(refined, logits.shape[2:], inside)
        tiny = torch.finfo(torch.float32).tiny
        total = refined.sum(1, keepdim=True).clamp(min=tiny)
        result = (refined / total).clamp(min=tiny).log().to(logits.dtype)
        if given is not None:
            result = torch.where(given.unsqueeze(1), result, logits)
        return result

    def _refine(
        self,
        prob: Tensor,
        image: Tensor,
        valid: Tensor | None,
        present: Tensor | None,
    ) -> Tensor:
        return self.affinity(image, valid=valid).propagate(
            prob, num_iters=self.num_iters, present=present
        )


def _resize(
    maps: Tensor, size: tuple[int, ...], valid: Tensor | None
) -> Tensor:
    """Resize bilinearly, unless the size is that."""
    if maps.shape[2:] == size:
        return maps
    return resize_inside(maps, size, valid=valid)
