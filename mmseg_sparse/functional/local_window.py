"""Pairs of pixels in a square window, each pair visited once.

What the local energies of :mod:`.potts` and :mod:`.feature_consistency`
share: the order in which pairs are visited, and the Gaussian kernel.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

#: Elements of a buffer that stays in a core's cache, with its neighbours.
CACHED = 1 << 18
#: Pixels of a block beyond which calls cost next to nothing.
LONG = 8192
#: From so many channels on, differences are made for one offset at a time,
#: below for one channel at a time.
MANY_CHANNELS = 8


@dataclass(frozen=True)
class Strip:
    """A run of pixels and, for each, ``count`` neighbours side by side.

    Pixel ``start + k`` is paired with ``start + k + offset + t``, k below
    ``width`` and t below ``count``; ``dy`` and ``dx + t`` are the steps.
    ``low`` says where this run begins in the one it is a part of.
    """

    start: int
    width: int
    offset: int
    count: int
    dy: int
    dx: int
    low: int = 0

    def here(self, flat: Tensor) -> Tensor:
        """Return the run of ``(C, L)`` as a view, ``(C, width)``."""
        return flat.narrow(1, self.start, self.width)

    def each_there(self, flat: Tensor) -> list[Tensor]:
        """Return a view of the neighbours for each t, ``(C, width)``."""
        shape, strides = (flat.shape[0], self.width), (flat.stride(0), 1)
        first = flat.storage_offset() + self.start + self.offset
        # Half of the cost of narrow(), and there are thousands.
        return [
            flat.as_strided(shape, strides, first + t)
            for t in range(self.count)
        ]

    def all_there(self, flat: Tensor) -> Tensor:
        """Return a view of all neighbours, ``(C, count, width)``."""
        return flat.as_strided(
            (flat.shape[0], self.count, self.width),
            (flat.stride(0), 1, 1),
            flat.storage_offset() + self.start + self.offset,
        )

    def pairs(
        self, operator: Callable[..., Tensor], first: Tensor, second: Tensor
    ) -> Tensor:
        """Return ``operator`` of all pairs of ``(1, L)``, ``(count, width)``.

        Pixels here are taken from the first, those there from the second.
        """
        # Without `out` the result would inherit the view's odd strides.
        out = first.new_empty(self.count, self.width)
        return operator(self.here(first), self.all_there(second)[0], out=out)

    def parts(self, flat: Tensor) -> Iterator['Strip']:
        """Yield runs of which ``(C, L)`` holds a cached share each."""
        length = block_length(flat)
        for low in range(0, self.width, length):
            width = min(length, self.width - low)
            yield replace(self, start=self.start + low, width=width, low=low)

    def of(self, pairs: Tensor) -> tuple[Tensor, ...]:
        """Return this part of ``(count, width of the whole)`` for each t."""
        part: tuple[Tensor, ...] = pairs.narrow(
            1, self.low, self.width
        ).unbind()
        return part


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
        """Yield strips of at most ``length`` pixels that make up all pairs.

        Length 0 stands for all pixels at once.
        """
        end = self.n * self.image - self.reach_y * self.row
        for start in range(0, end, length or max(end, 1)):
            width = min(length or end, end - start)
            for dy in range(self.reach_y + 1):
                dx = -self.reach_x if dy else 1
                count = self.reach_x - dx + 1
                if count > 0:
                    offset = dy * self.row + dx
                    yield Strip(start, width, offset, count, dy, dx)


def block_length(flat: Tensor) -> int:
    """Return how many pixels of ``(C, L)`` to visit at a time.

    A block stays in the cache of a CPU; elsewhere all are visited at once,
    because launching kernels is what costs there.
    """
    if not flat.is_cpu:
        return max(flat.shape[1], 1)
    return min(max(CACHED // max(flat.shape[0], 1), 512), LONG)


def gaussian_kernel(strip: Strip, guide: Tensor, *, sigma_xy: float) -> Tensor:
    r"""Return the kernel of a strip's pairs, ``(count, width)``.

    .. math:: K = \exp(-\|s_i - s_j\|^2 / 2\sigma_{xy}^2
                       -\|g_i - g_j\|^2)

    Args:
        strip: The pairs.
        guide: ``(D, L)``, the guide divided by the root of 2.
        sigma_xy: In pixels; infinite for no spatial term.
    """
    apart = guide.new_zeros(strip.count, strip.width)
    if guide.shape[0] < MANY_CHANNELS:
        for index in range(guide.shape[0]):
            channel = guide.narrow(0, index, 1)
            step = strip.pairs(torch.sub, channel, channel)
            apart.addcmul_(step, step)
    else:
        for part in strip.parts(guide):
            here = part.here(guide)
            step = here.new_empty(here.shape)
            for there, square in zip(
                part.each_there(guide), part.of(apart), strict=True
            ):
                torch.sub(here, there, out=step)
                step.mul_(step)
                torch.sum(step, 0, out=square)
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
    if isinstance(radius, bool) or not isinstance(radius, int) or radius < 1:
        raise ValueError(f'radius must be a whole number ≥ 1, got {radius}')
    if not sigma_xy > 0:
        raise ValueError(f'sigma_xy must be positive, got {sigma_xy}')


def refuse_second_derivative() -> None:
    """Raise in a backward pass that is itself to be differentiated.

    The gradient was computed with the loss, so that autograd would take it
    for a constant.
    """
    if torch.is_grad_enabled():
        raise RuntimeError(
            'the local energies have no second derivative: '
            'create_graph=True is not supported'
        )
