"""Which pixels belong together, and what follows: a loss, a random walk.

Source: AFA, section 3.3.
"""

import torch
from torch import Tensor

from .checks import check_mask, wide_dtype


def affinity_labels(
    labels: Tensor, *, radius: int, ignore_index: int = 255
) -> Tensor:
    """Say of each pair of pixels in a window whether their classes agree.

    Two pixels are in one window where neither their rows nor their columns
    are more than ``radius`` apart, a square of 2 · radius + 1 pixels; a pixel
    is in its own. Source: AFA, section 3.3 and 6.2; the paper draws the
    window and gives no formula, the square and the pixel itself are as in
    the release.

    Args:
        labels: Class ids ``(N, h, w)``, ``ignore_index`` where no label is.
        radius: Reach of the window, in pixels of ``labels``.
        ignore_index: Id of a pixel that takes no part, and of such a pair.

    Returns:
        Int64 ``(N, h * w, h * w)``: 1 for the same class, 0 for another,
        ``ignore_index`` where a pixel has no label or they are further apart.

    Raises:
        ValueError: If the shape is not that, or radius is negative.
    """
    if labels.ndim != 3:
        raise ValueError(
            f'expected labels (N, h, w), got {tuple(labels.shape)}'
        )
    window = window_mask(labels.shape[1:], radius, labels.device)
    flat = labels.flatten(1)
    known = flat != ignore_index
    target = (flat.unsqueeze(2) == flat.unsqueeze(1)).long()
    counts = window & known.unsqueeze(2) & known.unsqueeze(1)
    return target.masked_fill_(~counts, ignore_index)


def affinity_loss(
    affinity: Tensor,
    target: Tensor,
    *,
    ignore_index: int = 255,
    count_offset: float = 0.0,
) -> tuple[Tensor, Tensor]:
    r"""Return how far affinities are from 1 and from 0 where they should be.

    With :math:`R^\pm` the pairs of the batch whose target is 1 and 0,

    .. math::
        L^+ = \frac{1}{|R^+| + \epsilon} \sum_{R^+} (1 - A_{ij}), \qquad
        L^- = \frac{1}{|R^-| + \epsilon} \sum_{R^-} A_{ij}.

    Source: AFA, eq. 5, whose loss is the sum of both. Deviations: the
    release halves both and has :math:`\epsilon = 1` (``count_offset``).

    Args:
        affinity: A in [0, 1], after the sigmoid, ``(N, h * w, h * w)``.
        target: As from :func:`affinity_labels`, in the same shape.
        ignore_index: Target of a pair that does not count.
        count_offset: :math:`\epsilon`.

    Returns:
        Two scalars, in float32 or the wider dtype of ``affinity``; 0 with
        zero gradient where there is no such pair.

    Raises:
        ValueError: If shapes disagree or ``count_offset`` is negative.
    """
    if affinity.shape != target.shape:
        raise ValueError(
            'expected affinity and target of the same shape, got '
            f'{tuple(affinity.shape)} and {tuple(target.shape)}'
        )
    if not count_offset >= 0:
        raise ValueError(
            f'count_offset must not be negative, got {count_offset}'
        )
    wide = affinity.to(wide_dtype(affinity))
    losses = []
    for kind, error in ((1, 1 - wide), (0, wide)):
        pairs = (target == kind) & (target != ignore_index)
        count = pairs.sum().to(wide.dtype) + count_offset
        # Not by multiplying: what is not a number counts for nothing, too.
        total = torch.where(pairs, error, 0).sum()
        losses.append(total / count.clamp(min=1))
    positive, negative = losses
    return positive, negative


def random_walk(
    cam: Tensor,
    affinity: Tensor,
    *,
    alpha: float = 2.0,
    radius: int | None = None,
    valid: Tensor | None = None,
) -> Tensor:
    r"""Let the scores of each pixel walk one step to those it belongs to.

    .. math::
        T = D^{-1} A^{\alpha}, \quad D_{ii} = \sum_k A_{ik}^\alpha, \quad
        M' = T M,

    the power being taken of each entry. Source: AFA, eq. 6-7. The release
    masks A to the window of the affinity labels first (``radius=8``).

    Args:
        cam: M, ``(N, C, h, w)``.
        affinity: A, not negative, ``(N, h * w, h * w)``; row i holds what
            pixel i takes over from each.
        alpha: The exponent :math:`\alpha`, positive.
        radius: Reach of the window (:func:`affinity_labels`) outside of
            which A is taken for 0. None: no window.
        valid: Bool ``(N, h, w)``, false in padding, which nothing is taken
            over from and which becomes 0. None: no padding.

    Returns:
        :math:`M'`, ``(N, C, h, w)``, in the dtype of ``cam``, computed in at
        least float32. A pixel that belongs to none, not even itself, becomes
        0. Both arguments have their gradient.

    Raises:
        ValueError: If shapes disagree, or alpha or radius are out of range.
    """
    pixels = cam.shape[2:].numel() if cam.ndim == 4 else 0
    if cam.ndim != 4 or affinity.shape != (len(cam), pixels, pixels):
        raise ValueError(
            'expected cam (N, C, h, w) and affinity (N, h * w, h * w), got '
            f'{tuple(cam.shape)} and {tuple(affinity.shape)}'
        )
    if not alpha > 0:
        raise ValueError(f'alpha must be positive, got {alpha}')
    check_mask('valid', valid, cam[:, 0].shape)
    wide = wide_dtype(cam, affinity)
    with torch.autocast(cam.device.type, enabled=False):
        weight, maps = affinity.to(wide), cam.to(wide).flatten(2)
        if radius is not None:
            window = window_mask(cam.shape[2:], radius, cam.device)
            weight = weight.masked_fill(~window, 0)
        if valid is not None:
            padding = ~valid.flatten(1)
            weight = weight.masked_fill(padding.unsqueeze(1), 0)
            weight = weight.masked_fill(padding.unsqueeze(2), 0)
            maps = maps.masked_fill(padding.unsqueeze(1), 0)
        weight = weight**alpha
        degree = weight.sum(2).clamp(min=torch.finfo(wide).tiny)
        walked = maps @ weight.transpose(1, 2) / degree.unsqueeze(1)
    return walked.view(cam.shape).to(cam.dtype)


def window_mask(
    size: tuple[int, int] | torch.Size,
    radius: int,
    device: torch.device | str | None = None,
) -> Tensor:
    """Return which pairs of pixels are in one window.

    Args:
        size: h and w.
        radius: Reach of the window, as in :func:`affinity_labels`.
        device: Where to make the mask.

    Returns:
        Bool ``(h * w, h * w)``.

    Raises:
        ValueError: If radius is not a whole number of at least 0.
    """
    if isinstance(radius, bool) or not isinstance(radius, int) or radius < 0:
        raise ValueError(f'radius must be a whole number ≥ 0, got {radius}')
    height, width = size
    near = [
        (line.unsqueeze(1) - line).abs() <= radius
        for line in (
            torch.arange(height, device=device),
            torch.arange(width, device=device),
        )
    ]
    mask = near[0][:, None, :, None] & near[1][None, :, None, :]
    return mask.reshape(height * width, height * width)
