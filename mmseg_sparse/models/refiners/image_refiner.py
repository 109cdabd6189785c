"""What refiners share that look at the image: sizes, padding, logits."""

from abc import abstractmethod

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmseg_sparse.functional import resize_inside, valid_on_grid
from mmseg_sparse.functional.resize import fully_valid_on_grid, shrink_image

from ..features import Features


class ImageRefiner(BaseModule):
    """A refiner of probabilities by the image, without parameters.

    What a subclass computes is its ``refine_maps``.

    Args:
        scale: Size to refine at, as a share of the image's; None: that of
            the logits.

    Raises:
        ValueError: If ``scale`` is out of range.
    """

    def __init__(self, scale: float | None) -> None:
        """Check the scale."""
        super().__init__()
        if scale is not None and not 0 < scale <= 1:
            raise ValueError(f'scale must lie in (0, 1], got {scale}')
        self.scale = scale

    @abstractmethod
    def refine_maps(
        self,
        prob: Tensor,
        image: Tensor,
        valid: Tensor | None,
        present: Tensor | None,
    ) -> Tensor:
        """Refine maps of the size of the image."""

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
            image: ``(N, 3, H, W)``, as a network gets it.
            valid: Bool ``(N, H, W)``, a rectangle in each image, false in
                the padding around it; None: no padding.
            present: Bool ``(N, C)``: the other classes are left out of the
                computation and become 0. None: all.

        Returns:
            ``(N, C, H, W)``; in padding, ``prob`` as it was.

        Raises:
            ValueError: If shapes disagree.
        """
        return self.refine_maps(prob, image, valid, present)

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
        refined = self.refine_maps(prob, image, inside, None)
        refined = _resize(refined, logits.shape[2:], inside)
        tiny = torch.finfo(torch.float32).tiny
        total = refined.sum(1, keepdim=True).clamp(min=tiny)
        result = (refined / total).clamp(min=tiny).log().to(logits.dtype)
        if given is not None:
            result = torch.where(given.unsqueeze(1), result, logits)
        return result


def _resize(
    maps: Tensor, size: tuple[int, ...], valid: Tensor | None
) -> Tensor:
    """Resize bilinearly, unless the size is that."""
    if maps.shape[2:] == size:
        return maps
    return resize_inside(maps, size, valid=valid)
