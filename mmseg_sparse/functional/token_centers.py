r"""Where in an image the tokens of a backbone are, and sampling there.

Pixel i is centred at i. Resizing with ``align_corners=False`` takes n tokens
of N pixels to be spread over the whole image, token j centred at
:math:`(j + 1/2) N / n - 1/2`. That is true of patches that are cut side by
side. Where patches overlap, as in MiT, it is not:

A convolution with kernel k, stride s and padding p reads for its output j the
inputs :math:`sj - p` to :math:`sj - p + k - 1`. Their middle is
:math:`sj + (k - 1) / 2 - p`. If input i is centred at :math:`f + ti`, output
j is centred at

.. math:: f + t \Bigl(\frac{k - 1}2 - p\Bigr) + t s j.

MiT's first convolution has k = 7, s = 4 and p = 3, the others k = 3 and p = 1:
the middle is :math:`sj` each time, so that token j of a stage at 1/16 is
centred at pixel 16 j, not at 16 j + 7.5. Besides, such a grid has
:math:`\lceil N / 16\rceil` tokens, and if N is no multiple of 16, tokens that
are spread over the image are less than 16 pixels apart.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from .checks import check_maps

ALIGNMENTS = ('extent', 'centers')


class Centers(NamedTuple):
    """Where the tokens of one axis are centred, in pixels.

    Attributes:
        step: From one token to the next.
        first: Where the first one is.
    """

    step: float
    first: float

    def scaled(self, factor: float) -> 'Centers':
        """Return those in an image of which this one is a resized copy.

        Args:
            factor: This image's size by that of the other.
        """
        return Centers(self.step / factor, (self.first + 0.5) / factor - 0.5)

    def mirrored(self, tokens: int, pixels: int) -> 'Centers':
        """Return those of a mirror image's tokens, mirrored back."""
        last = self.first + self.step * (tokens - 1)
        return Centers(self.step, pixels - 1 - last)

    def positions(self, tokens: int, device: torch.device) -> Tensor:
        """Return the pixel at which each token is centred, ``(tokens,)``."""
        line = torch.arange(tokens, device=device, dtype=torch.float64)
        return self.first + self.step * line

    def coordinates(self, pixels: int, device: torch.device) -> Tensor:
        """Return at which (fraction of a) token each pixel is."""
        line = torch.arange(pixels, device=device, dtype=torch.float64)
        return (line - self.first) / self.step


#: The pixels themselves.
PIXELS = Centers(1.0, 0.0)


def conv_centers(
    convolutions: Iterable[tuple[int, int, int]],
    centers: Centers = PIXELS,
) -> Centers:
    """Return the centres of what a chain of convolutions puts out.

    Args:
        convolutions: Kernel size, stride and padding of each.
        centers: Those of the first one's input; pixels by default.
    """
    step, first = centers
    for kernel, stride, padding in convolutions:
        first += step * ((kernel - 1) / 2 - padding)
        step *= stride
    return Centers(step, first)


def sample_linear(
    maps: Tensor,
    rows: Tensor,
    columns: Tensor,
    *,
    valid: Tensor | None = None,
) -> Tensor:
    """Interpolate maps bilinearly at a grid of places.

    Beyond the border the border's value is taken. Where ``valid`` is given,
    it interpolates as :func:`~mmseg_sparse.functional.resize_inside`:
    between those positions that are valid; 0 where none is.

    Args:
        maps: ``(N, K, h, w)``.
        rows: Row of each place, counted in positions of ``maps``, ``(H,)``.
        columns: Likewise its column, ``(W,)``.
        valid: Bool ``(N, h, w)``. None: all are.

    Returns:
        ``(N, K, H, W)``, in the dtype of ``maps``.

    Raises:
        ValueError: If shapes disagree.
    """
    check_maps('maps', maps, valid)
    down = _weights(rows, maps.shape[2]).to(maps.dtype)
    right = _weights(columns, maps.shape[3]).to(maps.dtype)
    if valid is None:
        return down @ maps @ right.t()
    inside = valid.unsqueeze(1).to(maps.dtype)
    values = down @ maps.masked_fill(inside == 0, 0) @ right.t()
    share = down @ inside @ right.t()
    return values / share.clamp(min=1e-6)


def sample_nearest(maps: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Take the positions of ``(N, h, w)`` next to a grid of places.

    Args:
        maps: Labels or a mask, ``(N, h, w)``.
        rows: Row of each place, ``(H,)``; halves are rounded up.
        columns: Likewise its column, ``(W,)``.

    Returns:
        ``(N, H, W)``; beyond the border the border's.
    """
    down, right = (
        (line + 0.5).floor().long().clamp(0, size - 1)
        for line, size in zip((rows, columns), maps.shape[1:], strict=True)
    )
    return maps[:, down][:, :, right]


def _weights(places: Tensor, size: int) -> Tensor:
    """Return what each place takes of each position, ``(places, size)``."""
    at = places.clamp(0, size - 1).unsqueeze(1)
    line = torch.arange(size, device=places.device, dtype=places.dtype)
    return (1 - (at - line).abs()).clamp(min=0)
