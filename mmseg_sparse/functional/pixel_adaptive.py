"""Pixel-adaptive refinement: predictions flow between pixels that look alike.

Source: AFA, section 3.4.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .checks import check_mask, check_same_size, wide_dtype

#: Distances of the neighbours in pixels, and the three weights of eq. 9.
DILATIONS = (1, 2, 4, 8, 12, 24)
W_RGB = 0.3
W_POS = 0.3
W_MIX = 0.01
NUM_ITERS = 10
#: The longer side, in pixels, that AFA refines at: half of VOC's 500.
PAPER_SIDE = 250
#: Added to a standard deviation, as in the release.
EPSILON = 1e-8
#: Pixels, with all their neighbours, that stay in a core's cache.
BLOCK = 4096


def pixel_adaptive_refine(
    prob: Tensor,
    image: Tensor,
    *,
    dilations: Sequence[int] | str = DILATIONS,
    num_iters: int = NUM_ITERS,
    w_rgb: float = W_RGB,
    w_pos: float = W_POS,
    w_mix: float = W_MIX,
    valid: Tensor | None = None,
) -> Tensor:
    r"""Average predictions over neighbours of similar colour, repeatedly.

    With :math:`\mathcal N_i` the 8 neighbours of pixel i at each dilation,
    :math:`\kappa` the kernel of :func:`pixel_affinity` and :math:`M_0` the
    prediction,

    .. math:: M_t^i = \sum_{j\in\mathcal N_i} \kappa_{ij} M_{t-1}^j.

    Source: AFA, eq. 10. The paper's tables take 15 iterations, the release
    trains with 10. The rows of :math:`\kappa` sum to :math:`1 + w_3`, so
    that an iteration scales up by that much.

    ``prob`` has a gradient by autograd, slow and made for tests: the method
    refines without one. ``image`` has none. To refine several predictions of
    one image, call :func:`pixel_affinity` once and use its result.

    Args:
        prob: Any maps to refine, ``(N, C, H, W)``.
        image: ``(N, 3, H, W)``, or with another number of channels.
        dilations: As in :func:`pixel_affinity`, and so the three weights.
        num_iters: How often eq. 10 is applied.
        w_rgb: :math:`w_1`.
        w_pos: :math:`w_2`.
        w_mix: :math:`w_3`.
        valid: As in :func:`pixel_affinity`.

    Returns:
        The refined maps in the shape and dtype of ``prob``, computed in at
        least float32; in padding, ``prob`` as it was.

    Raises:
        ValueError: If shapes disagree, or an argument is out of range.
    """
    check_same_size('prob (N, C, H, W) and image (N, 3, H, W)', prob, image)
    affinity = pixel_affinity(
        image.to(torch.promote_types(image.dtype, prob.dtype)),
        dilations=dilations,
        w_rgb=w_rgb,
        w_pos=w_pos,
        w_mix=w_mix,
        valid=valid,
    )
    return affinity.propagate(prob, num_iters=num_iters)


@dataclass(frozen=True)
class PixelAffinity:
    """The kernel of eq. 9 for each image of a batch, ready to be applied.

    Made by :func:`pixel_affinity`. One image can be refined with any number
    of predictions, for the cost of eq. 10 alone.

    Attributes:
        weights: The kernel, ``(N, H * W, K)`` for the K neighbours of each
            pixel, 8 for each dilation in turn.
        size: H and W.
        dilations: Distances of the neighbours, in pixels.
        valid: Bool ``(N, H, W)``, false in padding; None for no padding.
    """

    weights: Tensor
    size: tuple[int, int]
    dilations: tuple[int, ...]
    valid: Tensor | None = None

    def propagate(
        self,
        prob: Tensor,
        *,
        num_iters: int = NUM_ITERS,
        present: Tensor | None = None,
    ) -> Tensor:
        """Apply eq. 10 to a prediction.

        No tensor of classes times neighbours is made: what is held is a
        small multiple of ``prob``, and a number for each pixel and neighbour
        of one image.

        Args:
            prob: ``(N, C, H, W)``.
            num_iters: How often.
            present: Bool ``(N, C)``, the classes to refine; the others are
                left out of the computation and 0 in the result. A mask on
                the CPU spares a GPU's host the waiting. None: all.

        Returns:
            The refined maps in the shape and dtype of ``prob``, computed in
            the wider dtype of ``prob`` and the kernel; in padding, ``prob``
            as it was.

        Raises:
            ValueError: If shapes disagree or ``num_iters`` is negative.
        """
        self._check(prob, num_iters, present)
        wide = torch.promote_types(prob.dtype, self.weights.dtype)
        classes = None if present is None else present.cpu()
        refined = []
        indices = None
        with torch.autocast(prob.device.type, enabled=False):
            for n, weights in enumerate(self.weights.to(wide).unbind()):
                maps = prob[n].to(wide)
                if classes is not None:
                    chosen = classes[n].nonzero().flatten().to(prob.device)
                    maps = maps.index_select(0, chosen)
                if indices is None or self.valid is not None:
                    indices = self._indices(n)
                maps = _apply(maps, weights, indices, num_iters)
                if classes is not None:
                    maps = torch.zeros_like(prob[n], dtype=wide).index_copy(
                        0, chosen, maps
                    )
                refined.append(maps)
        result = torch.stack(refined).to(prob.dtype) if refined else prob
        if self.valid is not None:
            result = torch.where(self.valid.unsqueeze(1), result, prob)
        return result

    def _indices(self, n: int) -> Tensor:
        valid = None if self.valid is None else self.valid[n]
        places = _Places.of(self.size, valid, self.weights.device)
        return places.around(self.dilations)

    def _check(
        self, prob: Tensor, num_iters: int, present: Tensor | None
    ) -> None:
        batch = self.weights.shape[0]
        if prob.ndim != 4 or (prob.shape[0], *prob.shape[2:]) != (
            batch,
            *self.size,
        ):
            raise ValueError(
                f'expected prob ({batch}, C, {self.size[0]}, {self.size[1]}) '
                f'of the size of the image, got {tuple(prob.shape)}'
            )
        if num_iters < 0:
            raise ValueError(f'num_iters must be at least 0, got {num_iters}')
        check_mask('present', present, prob.shape[:2])


def pixel_affinity(
    image: Tensor,
    *,
    dilations: Sequence[int] | str = DILATIONS,
    w_rgb: float = W_RGB,
    w_pos: float = W_POS,
    w_mix: float = W_MIX,
    valid: Tensor | None = None,
) -> PixelAffinity:
    r"""Return the kernel of pixel-adaptive refinement, a matrix a image.

    With :math:`\mathcal N_i` the 8 neighbours of pixel i at each dilation,
    :math:`P_{ij}` their distance in pixels, C the image's channels and
    :math:`\sigma` the standard deviation over :math:`\mathcal N_i` plus
    :math:`10^{-8}`,

    .. math::
        \kappa_{ij} = \operatorname*{softmax}_{j\in\mathcal N_i}
            \Bigl[-\frac1C \sum_c \Bigl(\frac{I_{ic} - I_{jc}}
                  {w_1 \sigma_{ic}}\Bigr)^2\Bigr]
          + w_3 \operatorname*{softmax}_{j\in\mathcal N_i}
            \Bigl[-\Bigl(\frac{P_{ij}}{w_2 \sigma^{pos}}\Bigr)^2\Bigr].

    Source: AFA, eq. 8 and 9. What the paper leaves open is as in the
    release: :math:`\sigma` is unbiased and of each channel by itself, the
    mean over the channels stands for the norm and the distance for two
    coordinates, and a neighbour beyond the border is replaced by the border
    pixel nearest to it. Scaling a channel or adding a constant to it changes
    :math:`\kappa` only through the :math:`10^{-8}`.

    Args:
        image: I, ``(N, C, H, W)``; it gets no gradient.
        dilations: Distances of the neighbours, in pixels, or ``'auto'``:
            :func:`dilations_for` this size.
        w_rgb: :math:`w_1`.
        w_pos: :math:`w_2`.
        w_mix: :math:`w_3`.
        valid: Bool ``(N, H, W)``, true in a rectangle of each image and
            false in the padding around it, which takes no part: the border
            is that of the rectangle, so that an image has the same kernel
            with padding and without. None: no padding.

    Returns:
        The kernel, in float32 or the wider dtype of ``image``.

    Raises:
        ValueError: If shapes disagree, or an argument is out of range.
    """
    if image.ndim != 4:
        raise ValueError(
            f'expected image (N, 3, H, W), got {tuple(image.shape)}'
        )
    dilations = _check_kernel(dilations, image.shape[2:], w_rgb, w_pos, w_mix)
    check_mask('valid', valid, image[:, 0].shape)
    colours = image.detach().to(wide_dtype(image))
    with torch.autocast(image.device.type, enabled=False):
        position = w_mix * _position_weights(dilations, w_pos, colours)
        weights = _kernel(colours, dilations, w_rgb, position, valid)
    return PixelAffinity(weights, _size(image), dilations, valid)


def _kernel(
    image: Tensor,
    dilations: tuple[int, ...],
    w_rgb: float,
    position: Tensor,
    valid: Tensor | None,
) -> Tensor:
    """Return eq. 9, its second summand given as ``(K,)``: ``(N, H W, K)``."""
    size = _size(image)
    pixels = size[0] * size[1]
    weights = image.new_empty(len(image), pixels, len(position))
    block = BLOCK if image.is_cpu else max(pixels, 1)
    for k, colours in enumerate(image.flatten(2)):
        inside = None if valid is None else valid[k]
        places = _Places.of(size, inside, image.device)
        around, here = places.around(dilations), places.here()
        for low in range(0, pixels, block):
            part = slice(low, low + block)
            scores = _colour_scores(colours, around[part], here[part])
            scores.div_(w_rgb**2)
            torch.softmax(scores, 1, out=weights[k, part])
            weights[k, part].add_(position)
    return weights


def _size(maps: Tensor) -> tuple[int, int]:
    return maps.shape[2], maps.shape[3]


def dilations_for(size: Sequence[int]) -> tuple[int, ...]:
    """Return those of the paper's dilations that suit a size.

    The paper's farthest neighbour, 24 pixels away, is about a tenth of the
    image away: AFA halves images of 500 pixels. Of the paper's dilations
    those stay that are no farther in parts of the longer side. A smaller
    image loses the far ones, because they would cross whole objects; at the
    paper's size and above nothing changes. Not in the paper.

    Args:
        size: Height and width that the refinement works at, in pixels.

    Returns:
        One or more of ``DILATIONS``.
    """
    reach = max(size) * DILATIONS[-1] / PAPER_SIDE
    return tuple(d for d in DILATIONS if d <= max(reach, DILATIONS[0]))


def _colour_scores(colours: Tensor, around: Tensor, here: Tensor) -> Tensor:
    """Return the exponent of eq. 8, but for w and a term of each pixel.

    With :math:`d_j = I_j - I_i` and its mean m, it is written as
    :math:`d^2 - m^2 = (d - m)(d + m)`: a softmax does not see :math:`m^2`,
    in which a pixel unlike all around it would drown them.

    Args:
        colours: ``(D, H * W)``.
        around: Neighbours of some pixels, ``(P, K)``.
        here: The pixels, ``(P,)``.
    """
    scores = colours.new_zeros(around.shape)
    count = around.shape[1]
    for channel in colours:
        apart = channel.index_select(0, around.flatten()).view(around.shape)
        apart -= channel.index_select(0, here).unsqueeze(1)
        mean = apart.mean(1, keepdim=True)
        apart -= mean
        square = torch.linalg.vector_norm(apart, dim=1, keepdim=True).square_()
        sigma = square.div_(count - 1).sqrt_().add_(EPSILON)
        factor = sigma.square_().mul_(-colours.shape[0]).reciprocal_()
        other = (apart + 2 * mean).mul_(factor)
        scores.addcmul_(apart, other)
    return scores


def _position_weights(
    dilations: Sequence[int], w_pos: float, like: Tensor
) -> Tensor:
    """Return the second softmax of eq. 9, ``(K,)``."""
    dy, dx = _steps(dilations, like.device)
    distance = torch.hypot(dy.double(), dx.double())
    sigma = distance.std() + EPSILON
    return (-(distance / (w_pos * sigma)).square()).softmax(0).to(like.dtype)


def _steps(
    dilations: Sequence[int], device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return the steps down and to the right to each neighbour, ``(K,)``."""
    ring = [
        (dy, dx)
        for dy in (-1, 0, 1)
        for dx in (-1, 0, 1)
        if (dy, dx) != (0, 0)
    ]
    steps = torch.tensor(
        [[(d * dy, d * dx) for dy, dx in ring] for d in dilations],
        dtype=torch.int32,
    )
    down, right = steps.flatten(0, 1).to(device, non_blocking=True).unbind(1)
    return down, right


@dataclass(frozen=True)
class _Places:
    """Where the pixels of an image lie, and what stands for those outside.

    Attributes:
        size: H and W.
        rows: The first and the last row inside, ``(2,)``.
        columns: The first and the last column inside, ``(2,)``.
    """

    size: tuple[int, int]
    rows: Tensor
    columns: Tensor

    @classmethod
    def of(
        cls, size: tuple[int, int], valid: Tensor | None, device: torch.device
    ) -> '_Places':
        """Return those of the rectangle around ``valid``, ``(H, W)``."""
        if valid is None:
            valid = torch.ones(size, dtype=torch.bool, device=device)
        return cls(size, _extent(valid.any(1)), _extent(valid.any(0)))

    def here(self) -> Tensor:
        """Return each pixel, or the one inside next to it, ``(H * W,)``."""
        nowhere = self.rows.new_zeros(1)
        return self._shifted(nowhere, nowhere).squeeze(1)

    def around(self, dilations: Sequence[int]) -> Tensor:
        """Return the neighbours of each pixel, ``(H * W, K)``."""
        return self._shifted(*_steps(dilations, self.rows.device))

    def _shifted(self, down: Tensor, right: Tensor) -> Tensor:
        height, width = self.size
        y = torch.arange(height, device=down.device, dtype=down.dtype)
        x = torch.arange(width, device=down.device, dtype=down.dtype)
        y = (y.unsqueeze(1) + down).clamp(self.rows[0], self.rows[1])
        x = (x.unsqueeze(1) + right).clamp(self.columns[0], self.columns[1])
        return (y.unsqueeze(1) * width + x).flatten(0, 1)


def _extent(line: Tensor) -> Tensor:
    """Return where the first and the last True stand, the ends if nowhere."""
    line = line.to(torch.int32)
    ends = torch.stack([line.argmax(), len(line) - 1 - line.flip(0).argmax()])
    return ends.to(torch.int32)


def _apply(
    maps: Tensor, weights: Tensor, indices: Tensor, num_iters: int
) -> Tensor:
    """Return ``(C, H, W)`` after some iterations of eq. 10."""
    if not len(maps):
        return maps
    # A pixel's classes side by side: its neighbours are then whole rows of
    # a table, which this operator weighs and adds without copying them.
    flat = maps.flatten(1).t().contiguous()
    for _ in range(num_iters):
        flat = F.embedding_bag(
            indices, flat, per_sample_weights=weights, mode='sum'
        )
    return flat.t().reshape(maps.shape)


def _check_kernel(
    dilations: Sequence[int] | str,
    size: Sequence[int],
    w_rgb: float,
    w_pos: float,
    w_mix: float,
) -> tuple[int, ...]:
    """Return the dilations as numbers, of ``'auto'`` those for a size."""
    if dilations == 'auto':
        dilations = dilations_for(size)
    if not dilations or not all(
        isinstance(d, int) and not isinstance(d, bool) and d >= 1
        for d in dilations
    ):
        raise ValueError(
            "dilations must be one or more whole numbers ≥ 1, or 'auto', got "
            f'{dilations}'
        )
    for name, value in (('w_rgb', w_rgb), ('w_pos', w_pos)):
        if not value > 0:
            raise ValueError(f'{name} must be positive, got {value}')
    if not w_mix >= 0:
        raise ValueError(f'w_mix must not be negative, got {w_mix}')
    return tuple(int(d) for d in dilations)
