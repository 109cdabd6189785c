"""The bilateral energy of a prediction between all pixels of an image."""

from typing import Any, cast

import torch
from torch import Tensor

from .checks import check_mask, check_same_size, check_shape, wide_dtype
from .local_window import refuse_second_derivative

#: Pixels along each side of a tile of W, which is never held as a whole.
CPU_TILE = 256
TILE = 4096
#: Exponent below which W is no longer told from 0 beside W of i = j, which
#: is 1. Smaller numbers would make the processor slow.
SMALLEST = -60.0


def dense_crf_energy(
    prob: Tensor,
    image: Tensor,
    *,
    sigma_rgb: float,
    sigma_xy: float,
    gate: Tensor | None = None,
    one_sided: bool = False,
    valid: Tensor | None = None,
) -> Tensor:
    r"""Penalise different predictions at similar pixels, however far apart.

    With :math:`\Omega_n` the valid pixels of image n, :math:`s_i` the
    position of pixel i in pixels, :math:`c_i` its colour, :math:`p_i` its
    class probabilities and :math:`g_i` its gate,

    .. math::
        L &= \frac1N \sum_n \sum_{i,j\in\Omega_n}
             g_i W_{ij} \bigl(1 - \langle p_i, p_j\rangle\bigr), \\
        W_{ij} &= \exp\Bigl(-\frac{\|c_i-c_j\|^2}{2\sigma_{rgb}^2}
                            -\frac{\|s_i-s_j\|^2}{2\sigma_{xy}^2}\Bigr),

    the pairs i = j included. Source: Tang et al., On regularized losses for
    weakly-supervised CNN segmentation, ECCV 2018, whose
    :math:`\sum_k S_k^\top W (1 - S_k)` this is where ``prob`` sums to 1 and
    no gate is given. Memory is a small multiple of ``prob``, time grows with
    the square of the pixels. Only ``prob`` gets a gradient, and only once.

    Args:
        prob: Probabilities, ``(N, C, H, W)``.
        image: Colours, ``(N, D, H, W)``, in the units of ``sigma_rgb``.
        sigma_rgb: Width of the kernel in colours.
        sigma_xy: Width of the kernel in pixels.
        gate: Weight of each pixel, ``(N, H, W)``. None: 1.
        one_sided: Take :math:`-2 g_i \sum_j W_{ij} p_j` for the gradient, 0
            where the gate is 0, instead of the derivative of L,
            :math:`-\sum_j (g_i + g_j) W_{ij} p_j`.
        valid: Bool ``(N, H, W)``, false in padding. None: no padding.

    Returns:
        A scalar, in float32 or the wider dtype of ``prob``; 0 with zero
        gradient where no pixel is valid.

    Raises:
        ValueError: If shapes disagree or a sigma is not positive.
    """
    check_same_size('prob (N, C, H, W) and image (N, 3, H, W)', prob, image)
    check_mask('valid', valid, prob[:, 0].shape)
    check_shape('gate', gate, prob[:, 0].shape)
    if valid is None:
        valid = torch.ones_like(prob[:, 0], dtype=torch.bool)
    one_sided = one_sided or gate is None  # both gradients are the same
    maps = prob.to(wide_dtype(prob))
    gate = (valid if gate is None else gate.detach()).to(maps)
    with torch.autocast(prob.device.type, enabled=False):
        points = kernel_points(
            image.detach().to(maps), sigma_rgb, sigma_xy, valid
        )
        result = _DenseEnergy.apply(maps, points, gate, valid, one_sided)
    return cast(Tensor, result)


def kernel_points(
    image: Tensor, sigma_rgb: float, sigma_xy: float, valid: Tensor
) -> Tensor:
    """Return colours and positions over their sigmas, ``(N, H * W, D + 2)``.

    They are centred, so that products of them round little.
    """
    for name, sigma in (('sigma_rgb', sigma_rgb), ('sigma_xy', sigma_xy)):
        if not sigma > 0:
            raise ValueError(f'{name} must be positive, got {sigma}')
    n, _, height, width = image.shape
    y = torch.arange(height, dtype=image.dtype, device=image.device)
    x = torch.arange(width, dtype=image.dtype, device=image.device)
    places = torch.stack(torch.meshgrid(y, x, indexing='ij')) / sigma_xy
    points = torch.cat(
        [image / sigma_rgb, places.expand(n, 2, height, width)], 1
    )
    inside = valid.unsqueeze(1)
    points = points.masked_fill(~inside, 0)
    count = inside.sum((2, 3), keepdim=True).clamp(min=1)
    points = (points - points.sum((2, 3), keepdim=True) / count) * inside
    return points.flatten(2).transpose(1, 2)


class _DenseEnergy(torch.autograd.Function):
    """The energy and, kept for the backward pass, its gradient."""

    @staticmethod
    def forward(
        ctx: Any,
        prob: Tensor,
        points: Tensor,
        gate: Tensor,
        valid: Tensor,
        one_sided: bool,
    ) -> Tensor:
        n, classes = prob.shape[:2]
        inside = valid.unsqueeze(1)
        # One more class, of probability 1, receives the sum of the kernel.
        one = torch.ones_like(prob[:, :1])
        maps = torch.cat([prob, one], 1).masked_fill(~inside, 0)
        gates = gate.unsqueeze(1).masked_fill(~inside, 0)
        wanted = ctx.needs_input_grad[0]
        given = maps
        if wanted and not one_sided:
            given = torch.cat([maps, maps[:, :classes] * gates], 1)
        received = torch.stack(
            [
                kernel_sums(rows, values)
                for rows, values in zip(
                    points, given.flatten(2).transpose(1, 2), strict=True
                )
            ]
            or [given.flatten(2).transpose(1, 2)]
        )
        received = received.transpose(1, 2).view(given.shape)
        others, ones = received[:, :classes], received[:, classes]
        agree = (maps[:, :classes] * others).sum(1)
        if wanted:
            gradient = gates * others
            if one_sided:
                gradient = 2 * gradient
            else:
                gradient = gradient + received[:, classes + 1 :] * inside
            ctx.save_for_backward(gradient / -max(n, 1))
        return (gates[:, 0] * (ones - agree)).sum() / max(n, 1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        refuse_second_derivative()
        (gradient,) = ctx.saved_tensors
        return gradient * grad, None, None, None, None


def kernel_sums(points: Tensor, values: Tensor) -> Tensor:
    """Return W times the values, ``(H * W, C)``, of one image.

    W is symmetric: a tile above the diagonal serves twice.
    """
    # -|a - b|^2 / 2 as one product of the points and two more columns.
    square = points.square().sum(1, keepdim=True) * -0.5
    one = torch.ones_like(square)
    left = torch.cat([points, square, one], 1)
    right = torch.cat([points, one, square], 1).t()
    received = torch.zeros_like(values)
    tile = CPU_TILE if points.is_cpu else TILE
    for low in range(0, len(points), tile):
        rows = slice(low, low + tile)
        for start in range(low, len(points), tile):
            columns = slice(start, start + tile)
            kernel = left[rows] @ right[:, columns]
            kernel.clamp_(min=SMALLEST).exp_()
            received[rows].addmm_(kernel, values[columns])
            if start > low:
                received[columns].addmm_(kernel.t(), values[rows])
    return received
