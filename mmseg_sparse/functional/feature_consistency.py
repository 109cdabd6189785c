"""The two losses of DFR's feature consistency head, in a local window."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from .checks import check_maps, check_mask, wide_dtype
from .local_window import (
    LONG,
    Strip,
    Window,
    check_window,
    gaussian_kernel,
    refuse_second_derivative,
)

#: Distance per channel below which the log of eq. 11 goes on as a line.
NEAR = 1e-4


def mean_square_distance(maps: Tensor, valid: Tensor | None = None) -> Tensor:
    r"""Return how far apart two pixels of a batch are, squared.

    The mean of :math:`\|F_i - F_j\|^2` over all pairs of pixels, of one image
    or of two, which is twice the sum of the variances of the channels.

    Args:
        maps: F, ``(N, d, H, W)``.
        valid: Bool ``(N, H, W)``; false pixels do not count.

    Returns:
        A scalar, in float32 or the wider dtype of ``maps``; 0 without pixels.

    Raises:
        ValueError: If the shapes disagree.
    """
    check_maps('maps', maps, valid)
    wide = maps.to(wide_dtype(maps))
    counted = torch.ones_like(wide[:, :1])
    if valid is not None:
        counted = valid.unsqueeze(1).to(wide.dtype)
        wide = wide.masked_fill(~valid.unsqueeze(1), 0)
    count = counted.sum().clamp(min=1)
    mean = wide.sum((0, 2, 3), keepdim=True) / count
    return 2 * ((wide - mean).square() * counted).sum() / count


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
    wide = wide_dtype(feature)
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
        grad = torch.zeros_like(flat) if ctx.needs_input_grad[0] else None
        shades = window.lay(guide * math.sqrt(0.5), known)
        pairs = _Pairs(window, flat, labels, known, background)
        means = pairs.means() if weights[0] else flat.new_zeros(3)
        values = flat.new_zeros(2)
        for strip in pairs.strips():
            pull, push, both = pairs.factors(strip, means)
            if weights[1]:
                tie = gaussian_kernel(strip, shades, sigma_xy=sigma_xy)
                tie.mul_(both).mul_(2 / pixels)
            else:
                tie = torch.zeros_like(both)
            linear = (weights[0] * pull).add_(tie, alpha=weights[1])
            apart, steep = _visit(strip, flat, grad, linear, weights[0] * push)
            repulsion = _repulsion(push, apart, steep)
            values += torch.stack(
                [_dot(pull, apart) + repulsion, _dot(tie, apart)]
            )
        if grad is not None:
            grad.div_(channels)
            ctx.save_for_backward(window.maps(grad).transpose(0, 1))
        distance, regularization = values[0].clone(), values[1].clone()
        ctx.mark_non_differentiable(distance, regularization)
        total = weights[0] * distance + weights[1] * regularization
        return total, distance, regularization

    @staticmethod
    def backward(ctx: Any, grad: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        refuse_second_derivative()
        (gradient,) = ctx.saved_tensors
        return gradient * grad, *[None] * 8


class _Pairs:
    """Which pairs are labelled, and whether with one class or two.

    Labels lie in the window's layout twice, so that a pair is of one class
    where the first of its one pixel is the second of the other; where there
    is no label the two differ from each other and from all classes.
    """

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
        self.known = window.lay(torch.ones_like(classes), known)
        missing = 1 - self.known
        laid = window.lay(classes, known)
        self.first = laid - 1e4 * missing
        self.second = laid - 2e4 * missing
        self.ground = None
        if background is not None:
            self.ground = window.lay(
                (classes == background).to(like.dtype), known
            )

    def strips(self) -> Iterator[Strip]:
        """Yield the strips; on a CPU, those alone that have a label."""
        strips = self.window.strips(LONG if self.known.is_cpu else 0)
        for strip in strips:
            # Elsewhere the question would wait for the device.
            if not self.known.is_cpu or strip.here(self.known).any():
                yield strip

    def sets(self, strip: Strip) -> tuple[Tensor, Tensor | None, Tensor]:
        """Return 1 for a pair of one class, of the background, labelled.

        Each is ``(count, width)``.
        """
        same = strip.pairs(torch.eq, self.first, self.second)
        both = strip.pairs(torch.mul, self.known, self.known)
        if self.ground is None:
            return same, None, both
        return same, strip.pairs(torch.mul, self.ground, self.ground), both

    def means(self) -> Tensor:
        """Return one over the pairs of background, foreground and unlike.

        That is 0 for none.
        """
        # Large maps have more pairs than float32 has whole numbers.
        wide = torch.float64
        counts = self.known.new_zeros(3, dtype=wide)
        for strip in self.strips():
            same, ground, both = self.sets(strip)
            zero = same[:0] if ground is None else ground
            # Over few neighbours first, which is exact and the faster way.
            counts += torch.stack(
                [part.sum(0).sum(dtype=wide) for part in (zero, same, both)]
            )
        counts = counts.diff(prepend=counts.new_zeros(1))
        means = torch.where(counts > 0, 1 / counts.clamp(min=1), 0)
        return means.to(self.known.dtype)

    def factors(
        self, strip: Strip, means: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the factors of eq. 11 on x and on -log(1 - exp(-x)).

        The third is 1 where both pixels are labelled.
        """
        same, ground, both = self.sets(strip)
        push = (both - same).mul_(2 * means[2])
        pull = same.mul_(means[1])
        if ground is not None:
            pull.add_(ground.mul_(means[0] - means[1]))
        return pull, push, both


def _visit(
    strip: Strip, flat: Tensor, grad: Tensor | None, linear: Tensor,
    push: Tensor,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return the distances of a strip's pairs and add to the gradient.

    Args:
        strip: The pairs.
        flat: Features over their number of channels, ``(d, L)``.
        grad: Receives the gradient, ``(d, L)``; None if nobody wants it.
        linear: Slope of the loss over x, ``(count, width)``, but for
        push: the factor on -log(1 - exp(-x)).

    Returns:
        x, and minus the slope of -log(1 - exp(-x)), each ``(count, width)``.
    """
    apart, steep = torch.empty_like(linear), torch.empty_like(linear)
    for part in strip.parts(flat):
        here = part.here(flat)
        received = None if grad is None else part.here(grad)
        step, size = here.new_empty(here.shape), here.new_empty(here.shape)
        for there, x, slope, force, fall, back in zip(
            part.each_there(flat),
            part.of(apart),
            part.of(linear),
            part.of(push),
            part.of(steep),
            part.each_there(flat if grad is None else grad),
            strict=True,
        ):
            torch.sub(here, there, out=step)
            torch.abs(step, out=size)
            torch.sum(size, 0, out=x)
            torch.clamp(x, min=NEAR, out=fall).expm1_().reciprocal_()
            if received is None:
                continue
            slope = torch.addcmul(slope, force, fall, value=-1)
            step.sign_()
            received.addcmul_(step, slope)
            back.addcmul_(step, slope, value=-1)
    return apart, steep


def _repulsion(push: Tensor, apart: Tensor, steep: Tensor) -> Tensor:
    """Return the sum of push times -log(1 - exp(-x)), or its tangent.

    With s = 1 / (exp(x) - 1), minus the slope, that is log(1 + s).
    """
    below = apart.neg().add_(NEAR).clamp_(min=0)
    return _dot(push, torch.log1p(steep).addcmul_(below, steep))


def _dot(first: Tensor, second: Tensor) -> Tensor:
    return torch.dot(first.flatten(), second.flatten())


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
    check_mask('valid', valid, labels.shape)
