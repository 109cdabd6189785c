"""The two losses of DFR's feature consistency head, in a local window."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .local_window import Strip, Window, check_window, gaussian_kernel

#: Distance per channel below which the log of eq. 11 goes on as a line.
NEAR = 1e-4


def feature_distance(
    feature: Tensor,
    labels: Tensor,
    *,
    radius: int,
    background: int | None = 0,
    ignore_index: int = 255,
) -> Tensor:
    r"""Draw features of one class together, push those of two apart.

    Over the pairs of labelled pixels i ≠ j of one image with
    :math:`|i_x-j_x|\le r`, :math:`|i_y-j_y|\le r`, and
    :math:`x_{ij} = \|F_i - F_j\|_1 / d`, so that :math:`D = e^{-x}`,

    .. math::
        L = \operatorname*{mean}_{A^+_{bg}} x_{ij}
          + \operatorname*{mean}_{A^+_{fg}} x_{ij}
          - 2\operatorname*{mean}_{A^-} \log(1 - e^{-x_{ij}}),

    where :math:`A^+` are the pairs of one class, background or not, and
    :math:`A^-` those of two classes. Means are over the batch; that of no
    pair is 0. Source: DFR, eq. 8-11.

    Deviations: eq. 8 pairs a pixel with itself as well, which adds nothing
    but to the number of pairs, and is left out as in eq. 4. Below
    :math:`x = 10^{-4}` the logarithm goes on as its tangent, so that equal
    features of two classes give a finite loss.

    Gradient and memory are as in :func:`.potts.potts_energy`; equal features
    do not draw or push each other.

    Args:
        feature: F, ``(N, d, H, W)``.
        labels: Class ids ``(N, H, W)``, ``ignore_index`` where no label is.
        radius: Reach r of the window, which is 2r + 1 pixels wide.
        background: The class with a mean of its own; None for none.
        ignore_index: Id of a pixel that takes no part.

    Returns:
        A scalar, in float32 or the wider dtype of ``feature``; 0 with zero
        gradient where no pair is labelled.

    Raises:
        ValueError: If shapes disagree or radius is not positive.
    """
    total, _, _ = feature_consistency(
        feature,
        labels,
        radius=radius,
        background=background,
        ignore_index=ignore_index,
        regularization_weight=0.0,
    )
    return total


def feature_regularization(
    feature: Tensor,
    guide: Tensor,
    labels: Tensor,
    *,
    radius: int,
    sigma_xy: float,
    ignore_index: int = 255,
    valid: Tensor | None = None,
) -> Tensor:
    r"""Draw features together where position and guide are alike.

    With the pairs and :math:`x_{ij}` of :func:`feature_distance` and the
    kernel K of :func:`.potts.potts_energy`,

    .. math::
        L = \frac{1}{|\Omega|} \sum_i \sum_{(i,j)\in R_A} K_{ij} x_{ij},

    :math:`\Omega` being the valid pixels, labelled or not. Source: DFR,
    eq. 12-13.

    Args:
        feature: F, ``(N, d, H, W)``.
        guide: What the kernel compares, ``(N, D, H, W)``, each channel
            divided by its sigma; D may be 0.
        labels: Class ids ``(N, H, W)``, ``ignore_index`` where no label is.
        radius: Reach r of the window, which is 2r + 1 pixels wide.
        sigma_xy: Width of the kernel in pixels; ``math.inf`` leaves the
            positions out.
        ignore_index: Id of a pixel that takes no part.
        valid: Bool ``(N, H, W)``, false in padding, which takes no part and
            is not counted. None: no padding.

    Returns:
        A scalar, in float32 or the wider dtype of ``feature``; 0 with zero
        gradient where no pair is labelled.

    Raises:
        ValueError: If shapes disagree, or radius or sigma are not positive.
    """
    total, _, _ = feature_consistency(
        feature,
        labels,
        guide=guide,
        radius=radius,
        sigma_xy=sigma_xy,
        ignore_index=ignore_index,
        valid=valid,
        distance_weight=0.0,
    )
    return total


def feature_consistency(
    feature: Tensor,
    labels: Tensor,
    *,
    radius: int,
    guide: Tensor | None = None,
    sigma_xy: float = math.inf,
    background: int | None = 0,
    ignore_index: int = 255,
    valid: Tensor | None = None,
    distance_weight: float = 1.0,
    regularization_weight: float = 1.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return both losses of the head for the price of one.

    The distances between features cost the most and are made once.

    Args:
        feature: As in :func:`feature_distance`, and so the others.
        labels: Class ids.
        radius: Reach of the window.
        guide: As in :func:`feature_regularization`, and so ``sigma_xy``.
        sigma_xy: Width of the kernel in pixels.
        background: The class with a mean of its own.
        ignore_index: Id of a pixel that takes no part.
        valid: False in padding.
        distance_weight: Factor on :func:`feature_distance`.
        regularization_weight: Factor on :func:`feature_regularization`.

    Returns:
        The weighted sum, to train on; and, without gradient and weight, the
        value of each loss, 0 for one whose weight is 0.

    Raises:
        ValueError: As the two functions.
    """
    check_window(radius, sigma_xy)
    if guide is None:
        guide = feature.detach()[:, :0]
    _check_shapes(feature, guide, labels, valid)
    if valid is None:
        valid = torch.ones_like(labels, dtype=torch.bool)
    wide = torch.promote_types(feature.dtype, torch.float32)
    with torch.autocast(feature.device.type, enabled=False):
        result: tuple[Tensor, Tensor, Tensor] = _Consistency.apply(
            feature.to(wide),
            guide.detach().to(wide),
            labels,
            valid & (labels != ignore_index),
            valid.sum().clamp(min=1).to(wide),
            radius,
            sigma_xy,
            background,
            (float(distance_weight), float(regularization_weight)),
        )
    return result


class _Consistency(torch.autograd.Function):
    """Both losses and the gradient of their weighted sum, in one pass."""

    @staticmethod
    def forward(
        ctx: Any,
        feature: Tensor,
        guide: Tensor,
        labels: Tensor,
        known: Tensor,
        pixels: Tensor,
        radius: int,
        sigma_xy: float,
        background: int | None,
        weights: tuple[float, float],
    ) -> tuple[Tensor, Tensor, Tensor]:
        window = Window.of(feature, radius)
        channels = max(feature.shape[1], 1)
        flat = window.lay(feature / channels, known)
        pairs = _Pairs(window, feature, labels, known, background)
        grad = torch.zeros_like(flat) if ctx.needs_input_grad[0] else None
        shades = window.lay(guide * math.sqrt(0.5), known)
        means = pairs.means() if weights[0] else None
        values = feature.new_zeros(2)
        for strip in window.strips(4096 if flat.is_cpu else flat.shape[1]):
            both = pairs.both(strip)
            if flat.is_cpu and not both.any():
                continue
            pull, push = torch.zeros_like(both), torch.zeros_like(both)
            if means is not None:
                pull, push = pairs.kinds(strip, means)
            tie = torch.zeros_like(both)
            if weights[1]:
                kernel = gaussian_kernel(
                    strip, shades, sigma_xy=sigma_xy, block=512
                )
                tie = kernel.mul_(both).mul_(2 / pixels)
            apart = _visit(
                strip,
                flat,
                grad,
                weights[0] * pull + weights[1] * tie,
                weights[0] * push,
                window.block(flat),
            )
            repulsion = -torch.log(-torch.expm1(-apart.clamp(min=NEAR)))
            repulsion += (NEAR - apart).clamp(min=0) / math.expm1(NEAR)
            values[0] += (pull * apart).sum() + (push * repulsion).sum()
            values[1] += (tie * apart).sum()
        if grad is not None:
            grad.div_(channels)
            ctx.save_for_backward(window.maps(grad).transpose(0, 1))
        distance, regularization = values.unbind(0)
        distance, regularization = distance.clone(), regularization.clone()
        ctx.mark_non_differentiable(distance, regularization)
        total = weights[0] * distance + weights[1] * regularization
        return total, distance, regularization

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return gradient * grad, *[None] * 8


class _Pairs:
    """Which pairs are labelled, and of one class or of two."""

    def __init__(
        self,
        window: Window,
        like: Tensor,
        labels: Tensor,
        known: Tensor,
        background: int | None,
    ) -> None:
        self.window = window
        classes = labels.unsqueeze(1).to(like.dtype)
        ground = torch.zeros_like(classes)
        if background is not None:
            ground = (classes == background).to(like.dtype)
        self.classes = window.lay(classes, known)
        self.known = window.lay(torch.ones_like(classes), known)
        self.ground = window.lay(ground, known)

    def both(self, strip: Strip) -> Tensor:
        """Return 1 where both pixels are labelled, ``(count, width)``."""
        return strip.here(self.known) * strip.all_there(self.known)[0]

    def sets(self, strip: Strip) -> tuple[Tensor, Tensor, Tensor]:
        """Return 1 for a pair of the background, the foreground, of both."""
        here, there = strip.here(self.classes), strip.all_there(self.classes)
        both = self.both(strip)
        same = both * (here == there[0])
        ground = strip.here(self.ground) * strip.all_there(self.ground)[0]
        return ground, same - ground, both - same

    def means(self) -> Tensor:
        """Return one over the number of pairs of each kind; 0 for none."""
        counts = self.classes.new_zeros(3)
        length = 4096 if counts.is_cpu else self.classes.shape[1]
        for strip in self.window.strips(length):
            counts += torch.stack([kind.sum() for kind in self.sets(strip)])
        return torch.where(counts > 0, 1 / counts.clamp(min=1), 0)

    def kinds(self, strip: Strip, means: Tensor) -> tuple[Tensor, Tensor]:
        """Return the factors of eq. 11 on x and on -log(1 - exp(-x))."""
        ground, front, unlike = self.sets(strip)
        pull = ground * means[0] + front * means[1]
        return pull, unlike * (2 * means[2])


def _visit(
    strip: Strip,
    flat: Tensor,
    grad: Tensor | None,
    linear: Tensor,
    push: Tensor,
    block: int,
) -> Tensor:
    """Return the distances of a strip's pairs and add to the gradient.

    Args:
        strip: The pairs.
        flat: Features over their number of channels, ``(d, L)``.
        grad: Receives the gradient, ``(d, L)``; None if nobody wants it.
        linear: Slope of the loss over x, ``(count, width)``, but for
        push: the factor on -log(1 - exp(-x)).
        block: Pixels at a time.

    Returns:
        x, ``(count, width)``.
    """
    apart = torch.empty_like(linear)
    for low in range(0, strip.width, block):
        width = min(block, strip.width - low)
        here = strip.here(flat, low, width)
        step = flat.new_empty(here.shape)
        size = flat.new_empty(here.shape)
        for t in range(strip.count):
            part = slice(low, low + width)
            torch.sub(here, strip.there(flat, t, low, width), out=step)
            torch.abs(step, out=size)
            torch.sum(size, 0, out=apart[t, part])
            if grad is None:
                continue
            steep = apart[t, part].clamp(min=NEAR).expm1_()
            slope = torch.addcdiv(
                linear[t, part], push[t, part], steep, value=-1
            )
            step.sign_()
            strip.here(grad, low, width).addcmul_(step, slope)
            there = strip.there(grad, t, low, width)
            there.addcmul_(step, slope, value=-1)
    return apart


def _check_shapes(
    feature: Tensor, guide: Tensor, labels: Tensor, valid: Tensor | None
) -> None:
    if (
        feature.ndim != 4
        or labels.shape != feature[:, 0].shape
        or guide.ndim != 4
        or guide[:, :0].shape != feature[:, :0].shape
    ):
        raise ValueError(
            'expected feature (N, d, H, W), guide (N, D, H, W) and labels '
            f'(N, H, W), got {tuple(feature.shape)}, {tuple(guide.shape)} '
            f'and {tuple(labels.shape)}'
        )
    if valid is not None and (
        valid.shape != labels.shape or valid.dtype != torch.bool
    ):
        raise ValueError(
            f'expected valid {tuple(labels.shape)} of bool, got '
            f'{tuple(valid.shape)} of {valid.dtype}'
        )
