"""The Potts energy of a prediction in a local window, DFR and Gated CRF."""

import math
from typing import Any

import torch
from torch import Tensor

from .checks import check_mask, check_same_size, wide_dtype
from .local_window import (
    Window,
    block_length,
    check_window,
    gaussian_kernel,
    refuse_second_derivative,
)


def potts_energy(
    prob: Tensor,
    guide: Tensor,
    *,
    radius: int,
    sigma_xy: float,
    valid: Tensor | None = None,
) -> Tensor:
    r"""Penalise unlike predictions at pixels that look alike.

    With :math:`\Omega` the valid pixels of the batch, :math:`s_i` the
    position of pixel i in pixels, :math:`g_i` its guide and :math:`p_i` its
    class probabilities,

    .. math::
        L &= \frac{1}{|\Omega|} \sum_{i\in\Omega}
             \sum_{j\in\Omega,\, j\ne i,\, |i_x-j_x|\le r,\, |i_y-j_y|\le r}
             K_{ij} \bigl(1 - \langle p_i, p_j\rangle\bigr), \\
        K_{ij} &= \exp\Bigl(-\frac{\|s_i-s_j\|^2}{2\sigma_{xy}^2}
                            -\frac{\|g_i-g_j\|^2}{2}\Bigr),

    both pixels in the same image. Source: DFR, eq. 3-6, in the last form of
    eq. 5; where ``prob`` sums to 1 the three forms are equal. The kernel of
    Gated CRF is the one whose guide holds the colours alone.

    The gradient with respect to ``prob`` is computed in the same pass, which
    visits each pair once; ``guide`` gets none. Memory is a small multiple of
    ``prob``. There is no second derivative.

    Args:
        prob: Probabilities, ``(N, C, H, W)``.
        guide: What the kernel compares, ``(N, D, H, W)``, each channel
            divided by its sigma; D may be 0.
        radius: Reach r of the window, which is 2r + 1 pixels wide.
        sigma_xy: Width of the kernel in pixels; ``math.inf`` leaves the
            positions out.
        valid: Bool ``(N, H, W)``, false at pixels that take no part, such as
            padding. None: all take part.

    Returns:
        A scalar, in float32 or the wider dtype of ``prob``; 0 with zero
        gradient where no pair is valid.

    Raises:
        ValueError: If shapes disagree, or radius or sigma are not positive.
    """
    check_window(radius, sigma_xy)
    check_same_size('prob (N, C, H, W) and guide (N, D, H, W)', prob, guide)
    check_mask('valid', valid, prob[:, 0].shape)
    if valid is None:
        valid = torch.ones_like(prob[:, 0], dtype=torch.bool)
    wide = wide_dtype(prob)
    with torch.autocast(prob.device.type, enabled=False):
        energy: Tensor = _PottsEnergy.apply(
            prob.to(wide), guide.detach().to(wide), valid, radius, sigma_xy
        )
    return energy


class _PottsEnergy(torch.autograd.Function):
    r"""The energy and, kept for the backward pass, its gradient.

    With :math:`G_i = \sum_j K_{ij} p_j` the energy is the sum of
    :math:`\sum_j K_{ij} - \langle p_i, G_i\rangle`, its gradient
    :math:`-2 G_i`, both over the number of valid pixels.
    """

    @staticmethod
    def forward(
        ctx: Any,
        prob: Tensor,
        guide: Tensor,
        valid: Tensor,
        radius: int,
        sigma_xy: float,
    ) -> Tensor:
        window = Window.of(prob, radius)
        classes = prob.shape[1]
        # One more class, of probability 1 at each valid pixel, receives the
        # sum of the kernel.
        flat = window.empty(classes + 1, prob)
        maps = window.maps(flat)
        maps[:classes] = prob.transpose(0, 1)
        maps[classes] = 1
        maps.masked_fill_(~valid, 0)
        received = _spread(
            window, flat, window.lay(guide * math.sqrt(0.5), valid), sigma_xy
        )
        total, others = received[classes], received[:classes]
        energy = total - (flat[:classes] * others).sum(0)
        count = valid.sum().clamp(min=1).to(prob.dtype)
        if ctx.needs_input_grad[0]:
            others.mul_(flat[classes] * (-2 / count))
            ctx.save_for_backward(window.maps(others).transpose(0, 1))
        return (energy * flat[classes]).sum() / count

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        refuse_second_derivative()
        (gradient,) = ctx.saved_tensors
        return gradient * grad, None, None, None, None


def _spread(
    window: Window, flat: Tensor, guide: Tensor, sigma_xy: float
) -> Tensor:
    """Return each pixel's sum of K times its neighbours' rows, ``(C, L)``."""
    received = torch.zeros_like(flat)
    for strip in window.strips(block_length(flat)):
        kernel = gaussian_kernel(strip, guide, sigma_xy=sigma_xy)
        here, here_received = strip.here(flat), strip.here(received)
        for weight, there, there_received in zip(
            kernel.unbind(),
            strip.each_there(flat),
            strip.each_there(received),
            strict=True,
        ):
            here_received.addcmul_(there, weight)
            there_received.addcmul_(here, weight)
    return received
