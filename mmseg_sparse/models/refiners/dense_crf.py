"""A dense CRF as a refiner."""

from collections.abc import Sequence

import torch
from mmseg.registry import MODELS
from torch import Tensor

from mmseg_sparse.functional import PairwiseKernels, mean_field

from .image_refiner import ImageRefiner


@MODELS.register_module()
class DenseCRF(ImageRefiner):
    """The CRF of Krähenbühl and Koltun, by mean field.

    The formulas are :func:`mmseg_sparse.functional.mean_field` and
    :class:`mmseg_sparse.functional.PairwiseKernels`. It has no parameters
    and suits any segmentor::

        test_cfg=dict(mode='whole', refiner=dict(type='DenseCRF'))

    Sums over all pairs of pixels are exact: the time grows with the square
    of the pixels, so with ``scale**4``. The defaults are those with which
    AFA's release makes its last row of table 2.

    Args:
        num_iters: Iterations.
        sigma_rgb: Width of the first kernel in colours from 0 to 255.
        sigma_xy: Width of the first kernel, in pixels of the image.
        weight: Weight of the first kernel.
        smooth_sigma: Width of the kernel of positions alone, in pixels of
            the image.
        smooth_weight: Its weight.
        normalize: Divide the kernels, as the authors' implementation does.
        min_prob: Smaller probabilities count as this one.
        scale: Size to refine at, as a share of the image's; the maps given
            to ``refine`` are of that size. None: that of the logits; widths
            are then in pixels of the maps.
        std: What the image's channels were divided by when it was
            normalised; what was subtracted does not matter.

    Raises:
        ValueError: If an argument is out of range.
    """

    std: Tensor

    def __init__(
        self,
        num_iters: int = 10,
        sigma_rgb: float = 5.0,
        sigma_xy: float = 64.0,
        weight: float = 4.0,
        smooth_sigma: float = 3.0,
        smooth_weight: float = 3.0,
        normalize: bool = True,
        min_prob: float = 1e-5,
        scale: float | None = 1.0,
        std: Sequence[float] = (58.395, 57.12, 57.375),
    ) -> None:
        """Check the arguments and keep them."""
        super().__init__(scale)
        if not std or not all(one > 0 for one in std):
            raise ValueError(f'std must be positive, got {std}')
        share = 1.0 if scale is None else scale
        self.kernels = PairwiseKernels(
            sigma_rgb=sigma_rgb,
            sigma_xy=sigma_xy * share,
            weight=weight,
            smooth_sigma=smooth_sigma * share,
            smooth_weight=smooth_weight,
            normalize=normalize,
        )
        self.sigma_xy, self.smooth_sigma = sigma_xy, smooth_sigma
        self.num_iters = num_iters
        self.min_prob = min_prob
        self.register_buffer(
            'std', torch.tensor(std)[:, None, None], persistent=False
        )
        # Wrong arguments raise here, not in the first batch.
        pixel = torch.zeros(1, len(std), 1, 1)
        self.refine_maps(pixel, pixel, None, None)

    @property
    def classes_compete(self) -> bool:
        """Maps of several sets are not to be refined as one."""
        return True

    def refine_maps(
        self,
        prob: Tensor,
        image: Tensor,
        valid: Tensor | None,
        present: Tensor | None,
    ) -> Tensor:
        """Refine maps of the size of the image."""
        if len(self.std) != image.shape[1]:
            raise ValueError(
                f'std has {len(self.std)} values, the image '
                f'{image.shape[1]} channels'
            )
        return mean_field(
            prob,
            image * self.std,
            self.kernels,
            num_iters=self.num_iters,
            min_prob=self.min_prob,
            valid=valid,
            present=present,
        )
