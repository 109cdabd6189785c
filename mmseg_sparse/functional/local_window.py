"""Pairs of pixels in a square window, each pair visited once.

What the local energies of :mod:`.potts` and :mod:`.feature_consistency`
share: the order in which pairs are visited, and the Gaussian kernel.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

#: Elements of a buffer that stays in a core's cache, with its neighbours.
CACHED = 1 << 16
#: From so many channels on, differences are made for one offset at a time.
MANY_CHANNELS = 8


@dataclass(frozen=True)
class Strip:
    """A run of pixels and, for each, ``count`` neighbours side by side.

    Pixel ``start + k`` is paired with ``start + k + offset + t``, k below
    ``width`` and t below ``count``; ``dy`` and ``dx + t`` are the steps.
    """

    start: int
    width: int
    offset: int
    count: int
    dy: int
    dx: int

    def here(self, flat: Tensor, low: int = 0, width: int = -1) -> Tensor:
        """Return the run, or a part of it, of ``(C, L)``: ``(C, width)``."""
        width = self.width if width < 0 else width
        return flat.narrow(1, self.start + low, width)

    def there(
        self, flat: Tensor, t: int, low: int = 0, width: int = -1
    ) -> Tensor:
        """Return the neighbours number t of the run, ``(C, width)``."""
        width = self.width if width < 0 else width
        return flat.narrow(1, self.start + self.offset + t + low, width)

    def all_there(self, flat: Tensor) -> Tensor:
        """Return a view of all neighbours, ``(C, count, width)``."""
        return flat.as_strided(
            (flat.shape[0], self.count, self.width),
            (flat.stride(0), 1, 1),
            flat.storage_offset() + self.start + self.offset,
        )


@dataclass(frozen=True)
class Window:
    """The layout in which a neighbour is a constant number of pixels away.

    A batch lies in one run for each channel, ``(C, L)``, with ``reach_x``
    unused pixels after each row and ``reach_y`` unused rows after each
    image: a step that leaves an image ends on an unused pixel. Of the pairs
    {i, j} only those with j after i are visited, half of the window.
    """

    n: int
    height: int
    width: int
    reach_y: int
    reach_x: int

    @classmethod
    def of(cls, maps: Tensor, radius: int) -> 'Window':
        """Return the window on ``(N, C, H, W)``, no larger than the maps."""
        n, _, height, width = maps.shape
        reach_y = max(min(radius, height - 1), 0)
        reach_x = max(min(radius, width - 1), 0)
        return cls(n, height, width, reach_y, reach_x)

    @property
    def row(self) -> int:
        """Pixels from one row to the next."""
        return self.width + self.reach_x

    @property
    def image(self) -> int:
        """Pixels from one image to the next."""
        return (self.height + self.reach_y) * self.row

    def empty(self, channels: int, like: Tensor) -> Tensor:
        """Return zeros, ``(channels, L)``."""
        return like.new_zeros(channels, self.n * self.image + self.reach_x)

    def maps(self, flat: Tensor) -> Tensor:
        """Return the used pixels of ``(C, L)`` as a view, ``(C, N, H, W)``."""
        return flat.as_strided(
            (flat.shape[0], self.n, self.height, self.width),
            (flat.stride(0), self.image, self.row, 1),
            flat.storage_offset(),
        )

    def lay(self, maps: Tensor, used: Tensor) -> Tensor:
        """Copy ``(N, C, H, W)`` where ``used`` ``(N, H, W)``, zero elsewhere.

        Also what is not finite outside of ``used`` becomes zero.
        """
        flat = self.empty(maps.shape[1], maps)
        view = self.maps(flat)
        view.copy_(maps.transpose(0, 1))
        view.masked_fill_(~used, 0)
        return flat

    def strips(self, length: int) -> Iterator[Strip]:
        """Yield strips of at most ``length`` pixels that make up all pairs."""
        end = self.n * self.image - self.reach_y * self.row
        for start in range(0, end, length):
            width = min(length, end - start)
            for dy in range(self.reach_y + 1):
                dx = -self.reach_x if dy else 1
                count = self.reach_x - dx + 1
                if count > 0:
                    offset = dy * self.row + dx
                    yield Strip(start, width, offset, count, dy, dx)

    def block(self, flat: Tensor) -> int:
        """Return how many pixels of ``(C, L)`` to visit at a time.

        A block stays in the cache of a CPU; elsewhere all are visited at
        once, because launching kernels is what costs there.
        """
        if flat.device.type != 'cpu':
            return max(flat.shape[1], 1)
        return min(max(CACHED // max(flat.shape[0], 1), 512), 4096)


def gaussian_kernel(
    strip: Strip, guide: Tensor, *, sigma_xy: float, block: int
) -> Tensor:
    r"""Return the kernel of a strip's pairs, ``(count, width)``.

    .. math:: K = \exp(-\|s_i - s_j\|^2 / 2\sigma_{xy}^2
                       -\|g_i - g_j\|^2)

    Args:
        strip: The pairs.
        guide: ``(D, L)``, the guide divided by the root of 2.
        sigma_xy: In pixels; infinite for no spatial term.
        block: Pixels at a time where the guide has many channels.
    """
    apart = guide.new_zeros(strip.count, strip.width)
    channels = guide.shape[0]
    if 0 < channels < MANY_CHANNELS:
        shape = (channels, strip.count, strip.width)
        squares = torch.sub(
            strip.here(guide).unsqueeze(1),
            strip.all_there(guide),
            out=guide.new_empty(shape),
        )
        squares.mul_(squares)
        for square in squares.unbind(0):
            apart.add_(square)
    elif channels:
        for low in range(0, strip.width, block):
            width = min(block, strip.width - low)
            here = strip.here(guide, low, width)
            square = guide.new_empty(channels, width)
            for t in range(strip.count):
                there = strip.there(guide, t, low, width)
                torch.sub(here, there, out=square)
                square.mul_(square)
                torch.sum(square, 0, out=apart[t, low : low + width])
    steps = torch.arange(
        strip.dx,
        strip.dx + strip.count,
        dtype=apart.dtype,
        device=apart.device,
    )
    space = (steps * steps + strip.dy**2) * (-0.5 / sigma_xy**2)
    return torch.sub(space.unsqueeze(1), apart, out=apart).exp_()


def check_window(radius: int, sigma_xy: float = math.inf) -> None:
    """Raise a ValueError for what cannot be a window."""
    if isinstance(radius, bool) or radius != int(radius) or radius < 1:
        raise ValueError(f'radius must be a whole number ≥ 1, got {radius}')
    if not sigma_xy > 0:
        raise ValueError(f'sigma_xy must be positive, got {sigma_xy}')
