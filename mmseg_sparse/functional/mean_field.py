"""Mean field inference in a dense CRF, with the exact kernel."""

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from .checks import check_mask, check_same_size, wide_dtype
from .dense_crf import kernel_points, kernel_sums
from .local_window import refuse_second_derivative


@dataclass(frozen=True)
class PairwiseKernels:
    r"""How much two pixels of an image want to have the same class.

    With :math:`s_i` the position of pixel i in pixels and :math:`c_i` its
    colour,

    .. math::
        K_{ij} &= w\, k_{ij} + w_s\, k^s_{ij}, \\
        k_{ij} &= \exp\Bigl(-\frac{\|s_i-s_j\|^2}{2\sigma_{xy}^2}
                            -\frac{\|c_i-c_j\|^2}{2\sigma_{rgb}^2}\Bigr),
        \qquad
        k^s_{ij} = \exp\Bigl(-\frac{\|s_i-s_j\|^2}{2\sigma_s^2}\Bigr).

    Source: Krähenbühl and Koltun, Efficient inference in fully connected
    CRFs with Gaussian edge potentials, NeurIPS 2011, eq. 3. As printed,
    K of i = j is 0. With ``normalize``, as in the authors' implementation,
    for which published weights are meant, it is not, and each kernel is
    divided by :math:`\sqrt{\sum_m k_{im} \sum_m k_{mj}}`.

    Attributes:
        sigma_rgb: Width of the first kernel in colours.
        sigma_xy: Width of the first kernel in pixels.
        weight: w; 0 leaves the kernel out.
        smooth_sigma: :math:`\sigma_s`, in pixels.
        smooth_weight: :math:`w_s`; 0 leaves the kernel out.
        normalize: Whether the kernels are divided.

    Raises:
        ValueError: If a sigma is not positive or a weight is negative.
    """

    sigma_rgb: float
    sigma_xy: float
    weight: float
    smooth_sigma: float
    smooth_weight: float
    normalize: bool = True

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name, one in (
            ('sigma_rgb', self.sigma_rgb),
            ('sigma_xy', self.sigma_xy),
            ('smooth_sigma', self.smooth_sigma),
        ):
            if not one > 0:
                raise ValueError(f'{name} must be positive, got {one}')
        for name, one in (
            ('weight', self.weight),
            ('smooth_weight', self.smooth_weight),
        ):
            if not one >= 0:
                raise ValueError(f'{name} must not be negative, got {one}')


def mean_field(
    prob: Tensor,
    image: Tensor,
    kernels: PairwiseKernels,
    *,
    num_iters: int,
    min_prob: float = 1e-5,
    valid: Tensor | None = None,
    present: Tensor | None = None,
) -> Tensor:
    r"""Refine probabilities by a CRF that joins all pixels of an image.

    With p the given probabilities and K the kernels, Q begins as p and is
    replaced ``num_iters`` times by
    :math:`Q_i(l) \propto p_i(l) \exp\bigl(\sum_j K_{ij} Q_j(l)\bigr)`.

    Source: Krähenbühl and Koltun, NeurIPS 2011, algorithm 1 with the Potts
    model, whose constant part cancels. They approximate the sums; here they
    are exact: time grows with the square of the pixels, memory is a small
    multiple of ``prob``. Only ``prob`` gets a gradient; there is no second
    derivative.

    Args:
        prob: ``(N, C, H, W)``; what a pixel has is divided by its sum.
        image: Colours, ``(N, D, H, W)``, in the units of ``sigma_rgb``.
        kernels: Their widths and weights.
        num_iters: How often Q is replaced.
        min_prob: Smaller probabilities count as this one; 1e-5 is the
            authors' implementation.
        valid: Bool ``(N, H, W)``, false in padding. None: no padding.
        present: Bool ``(N, C)``: the other classes are left out and become
            0. None: all.

    Returns:
        Q, ``(N, C, H, W)``, in float32 or the wider dtype of ``prob``; in
        padding ``prob`` as it was.

    Raises:
        ValueError: If shapes disagree or a number is out of range.
    """
    _check(prob, image, num_iters, min_prob, valid, present)
    wide = prob.to(wide_dtype(prob))
    inside = torch.ones_like(wide[:, :1], dtype=torch.bool)
    if valid is not None:
        inside = valid.unsqueeze(1)
    used = inside.expand_as(wide)
    if present is not None:
        used = used & present[:, :, None, None]
    # What is in padding may be anything, also for the gradient.
    logs = torch.where(used, wide, 1).clamp(min=min_prob).log()
    logs = logs.masked_fill(~used, torch.finfo(wide.dtype).min)
    q = logs.softmax(1) * used
    with torch.autocast(prob.device.type, enabled=False):
        messages = _Messages(kernels, image.detach().to(wide), inside)
        for _ in range(num_iters):
            q = (logs + messages(q)).softmax(1) * used
    return torch.where(inside, q, wide)


def _check(
    prob: Tensor,
    image: Tensor,
    num_iters: int,
    min_prob: float,
    valid: Tensor | None,
    present: Tensor | None,
) -> None:
    check_same_size('prob (N, C, H, W) and image (N, 3, H, W)', prob, image)
    check_mask('valid', valid, prob[:, 0].shape)
    check_mask('present', present, prob.shape[:2])
    whole = isinstance(num_iters, int) and not isinstance(num_iters, bool)
    if not whole or num_iters < 0:
        raise ValueError(
            f'num_iters must be a whole number ≥ 0, got {num_iters}'
        )
    if not 0 < min_prob < 1:
        raise ValueError(f'min_prob must lie in (0, 1), got {min_prob}')


class _Messages:
    """The sums of K times maps over the pixels of each image."""

    def __init__(
        self, kernels: PairwiseKernels, image: Tensor, inside: Tensor
    ) -> None:
        """Sum the kernels, by which they are divided."""
        self.kernels = kernels
        self.points = kernel_points(
            image, kernels.sigma_rgb, kernels.sigma_xy, inside[:, 0]
        )
        self.rows, self.columns = (
            _gaussian(length, kernels.smooth_sigma, image)
            for length in image.shape[2:]
        )
        ones = inside.to(image)
        self.terms = [
            (weight, sums, self._scale(sums(ones), ones))
            for weight, sums in (
                (kernels.weight, self._similar),
                (kernels.smooth_weight, self._near),
            )
            if weight
        ]

    def __call__(self, maps: Tensor) -> Tensor:
        """Return ``(N, C, H, W)``; what maps have in padding must be 0."""
        total = torch.zeros_like(maps)
        for weight, sums, scale in self.terms:
            one = sums(maps * scale) * scale
            if not self.kernels.normalize:
                one = one - maps
            total = total + weight * one
        return total

    def _scale(self, sums: Tensor, ones: Tensor) -> Tensor:
        return sums.clamp(min=1).rsqrt() if self.kernels.normalize else ones

    def _similar(self, maps: Tensor) -> Tensor:
        return cast(Tensor, _KernelSums.apply(self.points, maps))

    def _near(self, maps: Tensor) -> Tensor:
        """The kernel of positions is a product of one for each axis."""
        return self.rows @ maps @ self.columns


def _gaussian(length: int, sigma: float, like: Tensor) -> Tensor:
    place = torch.arange(length, dtype=like.dtype, device=like.device)
    return torch.exp(-((place[:, None] - place) / sigma).square() / 2)


class _KernelSums(torch.autograd.Function):
    """Sums over an image weighted by positions and colours; symmetric."""

    @staticmethod
    def forward(ctx: Any, points: Tensor, maps: Tensor) -> Tensor:
        ctx.save_for_backward(points)
        sums = torch.empty_like(maps)
        for rows, values, out in zip(points, maps, sums, strict=True):
            flat = kernel_sums(rows, values.flatten(1).t())
            out.copy_(flat.t().view_as(out))
        return sums

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        refuse_second_derivative()
        (points,) = ctx.saved_tensors
        return None, _KernelSums.apply(points, grad)
