"""Means along a minimum spanning tree of the pixels, in linear time."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import (
    breadth_first_order,
    connected_components,
    minimum_spanning_tree,
)
from torch import Tensor

from .checks import check_maps, check_mask, check_same_size, wide_dtype
from .local_window import refuse_second_derivative


@dataclass(frozen=True)
class SpanningTree:
    """The minimum spanning trees of a batch of images, level by level.

    The M valid pixels of the batch are listed by their depth, roots first;
    the children of a pixel stand side by side.

    Attributes:
        pixels: Where each is in the flattened batch, ``(M,)`` below
            ``N * H * W``.
        parents: Where each one's parent is in this list, ``(M,)``; a root is
            its own.
        levels: How many pixels there are at each depth.
    """

    pixels: Tensor
    parents: Tensor
    levels: tuple[int, ...]

    @classmethod
    def of(
        cls, guide: Tensor, *, valid: Tensor | None = None
    ) -> 'SpanningTree':
        r"""Connect 4-neighbours by the edges whose sum is smallest.

        The weight of an edge is :math:`\|g_i - g_j\|^2`; of edges of equal
        weight that of the first pixel in reading order is taken first, that
        to the right before that down. Weights that are NaN come last. SciPy
        does this on the CPU, in :math:`O(M\log M)`.

        Args:
            guide: What is compared, ``(N, D, H, W)``.
            valid: Bool ``(N, H, W)``; pixels where it is false are in no
                tree. What is valid of an image need not be connected. None:
                all are valid.

        Raises:
            ValueError: If ``guide`` is not 4-d or ``valid`` does not fit.
        """
        check_maps('guide', guide, None)
        check_mask('valid', valid, guide[:, 0].shape)
        if valid is None:
            valid = torch.ones_like(guide[:, 0], dtype=torch.bool)
        pixels = valid.flatten().nonzero().squeeze(1).cpu().numpy()
        first, second, rank = _edges(guide.detach(), valid)
        order, parents = _levels(
            np.searchsorted(pixels, first),
            np.searchsorted(pixels, second),
            rank,
            len(pixels),
        )
        device = guide.device
        return cls(
            torch.from_numpy(pixels[order]).to(device),
            torch.from_numpy(parents).to(device),
            _level_sizes(parents),
        )


def _edges(
    guide: Tensor, valid: Tensor
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return both pixels of each edge and its place by weight, from 1.

    Places instead of weights: SciPy takes an edge of weight 0 for none, and
    how it sorts equal ones is not said.
    """
    n, _, height, width = guide.shape
    wide = guide.to(wide_dtype(guide))
    weight = wide.new_zeros(n, height, width, 2)
    weight[:, :, :-1, 0] = (wide.diff(dim=3)).square().sum(1)
    weight[:, :-1, :, 1] = (wide.diff(dim=2)).square().sum(1)
    both = torch.zeros_like(weight, dtype=torch.bool)
    both[:, :, :-1, 0] = valid[:, :, :-1] & valid[:, :, 1:]
    both[:, :-1, :, 1] = valid[:, :-1] & valid[:, 1:]
    edge = both.flatten().nonzero().squeeze(1).cpu().numpy()
    weights = weight.flatten()[both.flatten()].cpu().numpy()
    first, down = np.divmod(edge, 2)
    second = first + np.where(down, width, 1)
    rank = np.empty(len(edge))
    rank[np.argsort(weights, kind='stable')] = np.arange(1.0, len(edge) + 1)
    return first, second, rank


def _levels(
    first: np.ndarray, second: np.ndarray, rank: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels from the roots on, and each one's parent's place."""
    graph = csr_matrix((rank, (first, second)), shape=(count, count))
    tree = minimum_spanning_tree(graph).tocoo()
    _, part = connected_components(tree, directed=False)
    _, roots = np.unique(part, return_index=True)
    # One more vertex, the parent of all roots.
    rows = np.concatenate([tree.row, np.full(len(roots), count)])
    columns = np.concatenate([tree.col, roots])
    tree = csr_matrix(
        (np.ones(len(rows)), (rows, columns)), shape=(count + 1, count + 1)
    )
    order, parents = breadth_first_order(tree, count, directed=False)
    order = order[1:]
    place = np.empty(count + 1, dtype=np.int64)
    place[order] = np.arange(count)
    place[count] = -1
    above = place[parents[order]]
    return order, np.where(above < 0, np.arange(count), above)


def _level_sizes(parents: np.ndarray) -> tuple[int, ...]:
    """Return how many pixels have the same depth, from the roots on.

    Parents stand in the order of their children, so that those of one level
    end where the first parent of the next level is.
    """
    roots = int((parents == np.arange(len(parents))).sum())
    ends = [0, roots] if roots else [0]
    while ends[-1] < len(parents):
        ends.append(int(np.searchsorted(parents[roots:], ends[-1])) + roots)
    return tuple(np.diff(ends).tolist())


def tree_filter(
    maps: Tensor,
    guide: Tensor,
    *,
    sigma: float,
    valid: Tensor | None = None,
    tree: SpanningTree | None = None,
) -> Tensor:
    r"""Average maps over an image, weighted by distances on its tree.

    With :math:`g_i` the guide of pixel i and :math:`E_{ij}` the edges on the
    path from i to j in the minimum spanning tree of the valid pixels,

    .. math::
        y_i = \frac{\sum_j A_{ij} x_j}{\sum_j A_{ij}}, \qquad
        A_{ij} = \exp\Bigl(-\frac1\sigma \sum_{(k,m)\in E_{ij}}
                           \|g_k-g_m\|^2\Bigr),

    j = i included, j over the pixels that a path connects with i. Source:
    Liang et al., Tree energy loss, CVPR 2022, eq. 3 to 5 and 7; there
    :math:`\sigma` is 0.02 for the image's colours, 1 for features.

    All sums are made in two passes along the tree, from the leaves to the
    root and back, a level at a time: time and memory are linear in the
    number of pixels. ``maps`` and, through the weights of the edges but not
    through the choice of the tree, ``guide`` get a gradient; there is no
    second derivative.

    Args:
        maps: ``(N, C, H, W)``.
        guide: ``(N, D, H, W)``.
        sigma: Distance at which the weight is 1 / e.
        valid: Bool ``(N, H, W)``, false in padding. None: no padding.
        tree: The tree of another guide or of this one; ``valid`` is then
            that of the tree. None: it is made of ``guide``.

    Returns:
        ``(N, C, H, W)`` in float32 or the widest dtype given; 0 where not
        valid.

    Raises:
        ValueError: If shapes disagree or sigma is not positive.
    """
    check_same_size('maps (N, C, H, W) and guide (N, D, H, W)', maps, guide)
    if not sigma > 0:
        raise ValueError(f'sigma must be positive, got {sigma}')
    if tree is None:
        tree = SpanningTree.of(guide, valid=valid)
    dtype = wide_dtype(maps, guide)
    with torch.autocast(maps.device.type, enabled=False):
        means = _means(maps.to(dtype), guide.to(dtype), sigma, tree)
    n, channels, height, width = maps.shape
    out = means.new_zeros(n * height * width, channels)
    out = out.index_copy(0, tree.pixels, means)
    return out.view(n, height, width, channels).permute(0, 3, 1, 2)


def _means(
    maps: Tensor, guide: Tensor, sigma: float, tree: SpanningTree
) -> Tensor:
    """Return the means at the pixels of the tree, ``(M, C)``."""
    listed = _listed(guide, tree)
    steps = listed - listed.index_select(0, tree.parents)
    affinity = (steps.square().sum(1, keepdim=True) / -sigma).exp()
    # One more channel, 1 everywhere, receives the sum of the weights.
    values = torch.cat([_listed(maps, tree), torch.ones_like(affinity)], 1)
    received = cast(Tensor, _Aggregate.apply(values, affinity, tree))
    return received[:, :-1] / received[:, -1:]


def _listed(maps: Tensor, tree: SpanningTree) -> Tensor:
    """Return what the pixels of the tree have in maps, ``(M, C)``."""
    return maps.permute(0, 2, 3, 1).flatten(0, 2).index_select(0, tree.pixels)


class _Aggregate(torch.autograd.Function):
    r"""Sums over all pixels of a tree, weighted by the path's affinity.

    The affinity of a path is the product of those of its edges. With
    :math:`S_i` the sum over the pixels below and at i, :math:`R_i` the sum
    over all, a the affinity of the edge from i to its parent p, the sum
    outside of i's branch is :math:`O_i = R_p - a S_i` at p, and
    :math:`R_i = S_i + a O_i`; at a root a is 1 and O is 0.
    """

    @staticmethod
    def forward(
        ctx: Any, values: Tensor, affinity: Tensor, tree: SpanningTree
    ) -> Tensor:
        below, total = _two_passes(values, affinity, tree)
        ctx.tree = tree
        ctx.save_for_backward(affinity, below, total)
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        refuse_second_derivative()
        affinity, below, total = ctx.saved_tensors
        # The matrix of the sums is symmetric.
        grad_below, grad_total = _two_passes(grad, affinity, ctx.tree)
        if not ctx.needs_input_grad[1]:
            return grad_total, None, None
        parents = ctx.tree.parents
        outside = total.index_select(0, parents) - affinity * below
        grad_outside = (
            grad_total.index_select(0, parents) - affinity * grad_below
        )
        slope = (grad_below * outside + grad_outside * below).sum(1, True)
        return grad_total, slope, None


def _two_passes(
    values: Tensor, affinity: Tensor, tree: SpanningTree
) -> tuple[Tensor, Tensor]:
    """Return the sums S over each branch and R over each tree, ``(M, C)``."""
    sizes = list(tree.levels)
    # Of each pixel, where the level above its own begins.
    starts = np.repeat(np.cumsum([0, 0, *sizes])[:-2], sizes)
    parents = tree.parents - torch.from_numpy(starts).to(tree.parents)
    gains, above = affinity.split(sizes), parents.split(sizes)
    below = values.clone()
    branches = below.split(sizes)
    for level in range(len(sizes) - 1, 0, -1):
        branches[level - 1].index_add_(
            0, above[level], branches[level] * gains[level]
        )
    total = below * (1 - affinity.square())
    wholes = total.split(sizes)
    if wholes:
        wholes[0].copy_(branches[0])
    for level in range(1, len(sizes)):
        whole = wholes[level - 1].index_select(0, above[level])
        wholes[level].addcmul_(whole, gains[level])
    return below, total
