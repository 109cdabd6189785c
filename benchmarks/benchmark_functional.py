"""Compare functions of mmseg_sparse.functional with their literal form.

The literal form writes a formula as it stands in the paper and leaves the
gradient to autograd: DFR's energies unfold the window, local aggregation
(BLPSeg, eq. 4 and 5), the dense CRF loss, mean field in a dense CRF and the
tree energy loss (with one tree) make matrices of pixels x pixels,
pixel-adaptive refinement gathers 48 neighbours for each class in each
iteration of AFA's eq. 10. Both forms run in turns, forward and, but for the
two refinements, backward. Time is the processor's, and its ratio the median
over pairs of runs; memory is the peak of all tensors besides the inputs; the
difference is the largest one of results and gradients, relative to the largest
value. A second table shows how time and memory of ours grow if one size is
doubled.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

Run = Callable[[], list[Any]]
SIGMA_XY = 6.0


@dataclass(frozen=True)
class Sizes:
    """What the inputs of a case are made from."""

    batch: int
    size: tuple[int, int]
    classes: int
    channels: int
    radius: int
    device: str
    dtype: str = 'float32'

    def noise(self, channels: int, seed: int = 0) -> Any:
        """Return a normal random map."""
        import torch

        generator = torch.Generator().manual_seed(seed)
        shape = (self.batch, channels, *self.size)
        maps = torch.randn(shape, generator=generator)
        return maps.to(self.device, getattr(torch, self.dtype))

    def prob(self) -> Any:
        """Return random probabilities of the classes."""
        return (self.noise(self.classes) * 2).softmax(1)

    def smooth(self, channels: int, side: int) -> Any:
        """Return a random image whose details have about ``side`` pixels."""
        import torch.nn.functional as F

        coarse = (-(-self.size[0] // side), -(-self.size[1] // side))
        maps = replace(self, size=coarse).noise(channels)
        return F.interpolate(maps, self.size, mode='bicubic')


@dataclass(frozen=True)
class Case:
    """A function and its literal form on the same inputs.

    Each runs once, backward too if it has a gradient, and returns what must
    be equal. ``inputs`` are the tensors that both read; ``uses`` names the
    sizes, besides the pixels, that matter.
    """

    ours: Run
    literal: Run
    inputs: tuple[Any, ...]
    uses: tuple[str, ...]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'cases', nargs='*', help=f'of {", ".join(CASES)} (default: all)'
    )
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        default=(64, 64),
        metavar=('HEIGHT', 'WIDTH'),
        help='of the maps (default: 64 64)',
    )
    numbers = {
        'batch-size': (1, 'images'),
        'classes': (21, 'classes'),
        'channels': (64, 'channels of the feature'),
        'radius': (5, 'radius of the window'),
        'repeats': (5, 'pairs of runs'),
        'threads': (1, 'CPU threads'),
    }
    for name, (default, text) in numbers.items():
        parser.add_argument(
            f'--{name}',
            type=int,
            default=default,
            help=f'{text} (default: {default})',
        )
    parser.add_argument(
        '--device', help='cpu or cuda (default: cuda where there is one)'
    )
    parser.add_argument('--out', help='write the figures to this JSON file')
    args = parser.parse_args(argv)
    for name in numbers:
        value = getattr(args, name.replace('-', '_'))
        if value < 1:
            parser.error(f'--{name} must be at least 1, got {value}')
    if min(args.size) < 1:
        parser.error(f'--size must be at least 1 1, got {tuple(args.size)}')
    for name in args.cases:
        if name not in CASES:
            parser.error(f'a case must be in {tuple(CASES)}, got {name!r}')
    return args


def with_gradient(
    function: Callable[..., Any], *leaves: Any, weight: Any = None
) -> Run:
    """Return a run of ``function(*leaves)``, forward and backward."""
    import torch

    leaves = tuple(leaf.requires_grad_() for leaf in leaves)

    def run() -> list[Any]:
        out = function(*leaves)
        return [out.detach(), *torch.autograd.grad(out, leaves, weight)]

    return run


def unfold(maps: Any, radius: int) -> Any:
    """Return each pixel's neighbours, ``(N, C, window, H * W)``."""
    import torch.nn.functional as F

    side = 2 * radius + 1
    columns = F.unfold(maps, side, padding=radius)
    return columns.view(*maps.shape[:2], side**2, maps[0, 0].numel())


def square_distances(height: int, width: int, device: str) -> Any:
    """Return the square distance of each pixel to each, in pixels."""
    import torch

    places = torch.cartesian_prod(torch.arange(height), torch.arange(width))
    return (places[:, None] - places).square().sum(-1).to(device)


def literal_kernel(guide: Any, radius: int) -> Any:
    """Return K of DFR's eq. 6, ``(N, window, H * W)``, 0 for no pair."""
    import torch

    steps = torch.arange(-radius, radius + 1, device=guide.device)
    square = (steps[:, None] ** 2 + steps**2).flatten()
    here = guide.flatten(2).unsqueeze(2)
    colour = (unfold(guide, radius) - here).square().sum(1)
    space = square[:, None] / SIGMA_XY**2
    inside = unfold(torch.ones_like(guide[:, :1]), radius)[:, 0]
    return torch.exp(-(colour + space) / 2) * inside * (square > 0)[:, None]


def literal_potts(prob: Any, guide: Any, radius: int) -> Any:
    """Return DFR's eq. 3-6 as they stand."""
    agree = (unfold(prob, radius) * prob.flatten(2).unsqueeze(2)).sum(1)
    kernel = literal_kernel(guide, radius)
    return (kernel * (1 - agree)).sum() / prob[:, 0].numel()


def literal_feature(feature: Any, guide: Any, labels: Any, radius: int) -> Any:
    """Return the sum of DFR's eq. 11 and 12 as they stand; 0 is background.

    All pixels are labelled.
    """
    import torch

    here = feature.flatten(2).unsqueeze(2)
    apart = (unfold(feature, radius) - here).abs().sum(1) / feature.shape[1]
    kernel = literal_kernel(guide, radius)
    ids = labels.unsqueeze(1).to(feature.dtype)
    other = unfold(ids, radius)[:, 0]
    ids = ids.flatten(2)
    pair = kernel.new_ones(kernel.shape) * (kernel > 0)
    same = pair * (other == ids)
    ground = same * (ids == 0)
    unlike = pair - same
    # log(1 - D) has no value where features are equal, the pixel itself.
    push = -torch.log1p(-torch.exp(-apart.clamp(min=1e-4)))
    return (
        (ground * apart).sum() / ground.sum().clamp(min=1)
        + ((same - ground) * apart).sum() / (same - ground).sum().clamp(min=1)
        + 2 * (unlike * push).sum() / unlike.sum().clamp(min=1)
        + (kernel * apart).sum() / labels.numel()
    )


def literal_dense_crf(prob: Any, image: Any, sigma_rgb: float) -> Any:
    """Return the sum of S' W (1 - S) with the whole W of each image."""
    import torch

    space = square_distances(*prob.shape[2:], prob.device) / SIGMA_XY**2
    flat, colours = prob.flatten(2), image.flatten(2).transpose(1, 2)
    colour = (torch.cdist(colours, colours) / sigma_rgb).square()
    kernel = torch.exp(-(colour + space) / 2)
    return (kernel * (1 - flat.transpose(1, 2) @ flat)).sum() / len(prob)


def literal_mean_field(prob: Any, image: Any) -> Any:
    """Return three iterations of algorithm 1 with the whole kernels."""
    import torch

    space = square_distances(*prob.shape[2:], prob.device)
    colours = image.flatten(2).transpose(1, 2)
    apart = torch.cdist(colours, colours).square() / 5.0**2
    total: Any = 0
    for weight, exponent in (
        (4.0, apart + space / SIGMA_XY**2),
        (3.0, space.expand_as(apart) / 1.5**2),
    ):
        kernel = torch.exp(exponent / -2)
        root = kernel.sum(1, keepdim=True).rsqrt()
        total = total + weight * root * kernel * root.transpose(1, 2)
    unary = prob.clamp(min=1e-5).log().flatten(2)
    q = unary.softmax(1)
    for _ in range(3):
        q = (unary + q @ total).softmax(1)
    return q.view(prob.shape)


def literal_tree(prob: Any, image: Any, sigma: float) -> Any:
    """Return the tree energy with the whole matrix of affinities."""
    import numpy as np
    import torch
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import minimum_spanning_tree, shortest_path

    n, _, height, width = prob.shape
    place = np.arange(height * width).reshape(height, width)
    first = np.concatenate([place[:, :-1].ravel(), place[:-1].ravel()])
    second = np.concatenate([place[:, 1:].ravel(), place[1:].ravel()])
    affinity = []
    for colours in image.flatten(2).double().cpu().numpy():
        weights = ((colours[:, first] - colours[:, second]) ** 2).sum(0)
        graph = csr_matrix((weights, (first, second)), (place.size,) * 2)
        tree = minimum_spanning_tree(graph)
        path = torch.from_numpy(shortest_path(tree, directed=False))
        affinity.append(torch.exp(-path / sigma).to(prob))
    matrix = torch.stack(affinity)
    flat = prob.detach().flatten(2)
    means = (flat @ matrix) / matrix.sum(1, keepdim=True)
    return (prob.flatten(2) - means).abs().sum() / (n * place.size)


def literal_aggregate(logits: Any, feature: Any) -> Any:
    """Return BLPSeg's eq. 3-5 as they stand."""
    import torch

    space = square_distances(*logits.shape[2:], logits.device)
    near = torch.exp(-space / (2 * SIGMA_XY**2))
    flat = feature.flatten(2)
    both = (flat.transpose(1, 2) @ flat).softmax(1) * near
    matrix = both / both.sum(1, keepdim=True)
    return (logits.flatten(2) @ matrix).view(logits.shape)


def literal_gather(maps: Any, dilations: Sequence[int]) -> Any:
    """Return each pixel's neighbours, ``(N, C, neighbours, H, W)``."""
    import torch
    import torch.nn.functional as F

    height, width = maps.shape[2:]
    near = []
    for d in dilations:
        padded = F.pad(maps, (d,) * 4, mode='replicate')
        near += [
            padded[:, :, y : y + height, x : x + width]
            for y in (0, d, 2 * d)
            for x in (0, d, 2 * d)
            if (y, x) != (d, d)
        ]
    return torch.stack(near, 2)


def literal_refine(prob: Any, image: Any) -> Any:
    """Return AFA's eq. 8-10 as they stand, with the release's numbers."""
    import torch

    dilations = (1, 2, 4, 8, 12, 24)
    ring = [2**0.5, 1, 2**0.5, 1, 1, 2**0.5, 1, 2**0.5]
    near = literal_gather(image, dilations)
    sigma = 0.3 * (near.std(2, keepdim=True) + 1e-8)
    apart = (near - image.unsqueeze(2)).abs() / sigma
    far = torch.tensor([d * step for d in dilations for step in ring])
    place = -(far / (0.3 * (far.std() + 1e-8))).square()
    place = place.softmax(0).to(image.device)[:, None, None]
    colour = (-apart.square().mean(1, keepdim=True)).softmax(2)
    kernel = colour + 0.01 * place
    for _ in range(10):
        prob = (literal_gather(prob, dilations) * kernel).sum(2)
    return prob


def potts(sizes: Sizes) -> Case:
    """Return the Potts energy and its literal form."""
    from mmseg_sparse.functional import potts_energy

    guide, options = sizes.noise(3, seed=1), dict(radius=sizes.radius)
    prob = sizes.prob()
    return Case(
        with_gradient(
            lambda p: potts_energy(p, guide, sigma_xy=SIGMA_XY, **options),
            prob,
        ),
        with_gradient(lambda p: literal_potts(p, guide, **options), prob),
        inputs=(prob, guide),
        uses=('classes', 'radius'),
    )


def features(sizes: Sizes) -> Case:
    """Return both feature losses of DFR; labels come in squares of 8."""
    from mmseg_sparse.functional import feature_consistency

    guide, feature = sizes.noise(3, seed=1), sizes.noise(sizes.channels).relu()
    labels = sizes.noise(sizes.classes, seed=2)[:, :, ::8, ::8].argmax(1)
    labels = labels.repeat_interleave(8, 1).repeat_interleave(8, 2)
    labels = labels[:, : sizes.size[0], : sizes.size[1]]
    options = dict(guide=guide, labels=labels, radius=sizes.radius)
    return Case(
        with_gradient(
            lambda f: feature_consistency(f, sigma_xy=SIGMA_XY, **options)[0],
            feature,
        ),
        with_gradient(lambda f: literal_feature(f, **options), feature),
        inputs=(feature, guide, labels),
        uses=('channels', 'radius'),
    )


def dense_crf(sizes: Sizes) -> Case:
    """Return the dense CRF energy and its literal form."""
    from mmseg_sparse.functional import dense_crf_energy

    image, options = sizes.smooth(3, side=6), dict(sigma_rgb=0.5)
    prob = sizes.prob()
    return Case(
        with_gradient(
            lambda p: dense_crf_energy(p, image, sigma_xy=SIGMA_XY, **options),
            prob,
        ),
        with_gradient(lambda p: literal_dense_crf(p, image, **options), prob),
        inputs=(prob, image),
        uses=('classes',),
    )


def crf_mean_field(sizes: Sizes) -> Case:
    """Return mean field in a dense CRF and its literal form."""
    from mmseg_sparse.functional import PairwiseKernels, mean_field

    prob, image = sizes.prob(), 20 * sizes.smooth(3, side=6)
    kernels = PairwiseKernels(
        sigma_rgb=5.0, sigma_xy=SIGMA_XY, weight=4.0, smooth_sigma=1.5,
        smooth_weight=3.0,
    )  # fmt: skip
    return Case(
        lambda: [mean_field(prob, image, kernels, num_iters=3)],
        lambda: [literal_mean_field(prob, image)],
        inputs=(prob, image),
        uses=('classes',),
    )


def tree(sizes: Sizes) -> Case:
    """Return the tree energy of the colours and its literal form."""
    from mmseg_sparse.functional import tree_energy

    image, options = sizes.smooth(3, side=6), dict(sigma=0.1)
    prob = sizes.prob()
    return Case(
        with_gradient(lambda p: tree_energy(p, image, **options), prob),
        with_gradient(lambda p: literal_tree(p, image, **options), prob),
        inputs=(prob, image),
        uses=('classes',),
    )


def local_aggregation(sizes: Sizes) -> Case:
    """Return local aggregation and its literal form."""
    from mmseg_sparse.functional import local_aggregate

    # Scores of a pixel with itself are 16 or so, with others 0 ± 2.
    feature = sizes.noise(sizes.channels) * (16 / sizes.channels) ** 0.5
    inputs = (sizes.noise(sizes.classes, seed=1), feature)
    weight = sizes.noise(sizes.classes, seed=2)
    return Case(
        with_gradient(
            lambda x, f: local_aggregate(x, f, sigma=SIGMA_XY),
            *inputs,
            weight=weight,
        ),
        with_gradient(literal_aggregate, *inputs, weight=weight),
        inputs=(*inputs, weight),
        uses=('classes', 'channels'),
    )


def pixel_adaptive(sizes: Sizes) -> Case:
    """Return pixel-adaptive refinement and its literal form."""
    from mmseg_sparse.functional import pixel_adaptive_refine

    image = sizes.smooth(3, side=6) + 0.1 * sizes.noise(3, seed=1)
    prob = sizes.prob()
    return Case(
        lambda: [pixel_adaptive_refine(prob, image)],
        lambda: [literal_refine(prob, image)],
        inputs=(prob, image),
        uses=('classes',),
    )


CASES: dict[str, Callable[[Sizes], Case]] = {
    'potts_energy': potts,
    'feature_consistency': features,
    'dense_crf_energy': dense_crf,
    'mean_field': crf_mean_field,
    'tree_energy': tree,
    'local_aggregate': local_aggregation,
    'pixel_adaptive_refine': pixel_adaptive,
}


def seconds(run: Run, cuda: bool) -> float:
    """Return the processor's time, or the wall's for a GPU."""
    import torch

    clock = time.perf_counter if cuda else time.process_time
    if cuda:
        torch.cuda.synchronize()
    start = clock()
    run()
    if cuda:
        torch.cuda.synchronize()
    return clock() - start


def peak_mib(run: Run) -> float:
    """Return the peak of what tensors hold."""
    from memory import TensorBytes

    with TensorBytes() as count:
        run()
    return count.peak / 2**20


def difference(case: Case) -> float:
    """Return by how much the forms differ; exit if that is too much."""
    worst = max(
        ((a - b).abs().max() / b.abs().max()).item()
        for a, b in zip(case.ours(), case.literal(), strict=True)
    )
    if not worst < 1e-4:
        raise SystemExit(f'the two forms differ by {worst:.1e}')
    return worst


def compare(case: Case, repeats: int, cuda: bool) -> dict[str, float]:
    """Run both forms in turns; return their figures and the ratios."""
    worst = difference(case)
    ours, literal = peak_mib(case.ours), peak_mib(case.literal)
    pairs = [
        (seconds(case.ours, cuda), seconds(case.literal, cuda))
        for _ in range(repeats)
    ]
    return dict(
        ours_s=statistics.median(pair[0] for pair in pairs),
        literal_s=statistics.median(pair[1] for pair in pairs),
        time_ratio=statistics.median(b / a for a, b in pairs),
        ours_mib=ours,
        literal_mib=literal,
        memory_ratio=literal / ours,
        difference=worst,
    )


def grow(
    make: Callable[[Sizes], Case], base: Sizes, repeats: int
) -> dict[str, dict[str, float]]:
    """Return time and memory of ours with one size after the other doubled."""
    height, width = base.size
    changes: dict[str, dict[str, Any]] = {
        'as given': {},
        'pixels x 2': dict(size=(height, 2 * width)),
        'pixels x 4': dict(size=(2 * height, 2 * width)),
    }
    for name in make(base).uses:
        changes[f'{name} x 2'] = {name: 2 * asdict(base)[name]}
    runs = {
        name: make(replace(base, **change)).ours
        for name, change in changes.items()
    }
    memory = {name: peak_mib(run) for name, run in runs.items()}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):  # in turns, as the machine's speed drifts
        for name, run in runs.items():
            times[name].append(seconds(run, base.device == 'cuda'))
    return {
        name: dict(ours_s=min(times[name]), ours_mib=memory[name])
        for name in runs
    }


def ratio_table(figures: dict[str, dict[str, Any]]) -> Any:
    """Return a table with a row for each function."""
    from prettytable import PrettyTable

    table = PrettyTable(
        ['', 'ours [s]', 'literal [s]', 'time', 'ours [MiB]',
         'literal [MiB]', 'memory', 'difference']
    )  # fmt: skip
    for name, one in figures.items():
        table.add_row(
            [name]
            + [f'{one[key]:.3f}' for key in ('ours_s', 'literal_s')]
            + [f'{one["time_ratio"]:.1f}x']
            + [f'{one[key]:.1f}' for key in ('ours_mib', 'literal_mib')]
            + [f'{one["memory_ratio"]:.1f}x', f'{one["difference"]:.1e}']
        )
    return table


def growth_table(name: str, growth: dict[str, dict[str, float]]) -> Any:
    """Return a table with a row for each size that was doubled."""
    from prettytable import PrettyTable

    table = PrettyTable([name, 'time [s]', 'times', 'memory [MiB]', 'times '])
    first = growth['as given']
    for change, one in growth.items():
        row = [change]
        for key in ('ours_s', 'ours_mib'):
            row += [f'{one[key]:.3f}', f'{one[key] / first[key]:.2f}']
        table.add_row(row)
    return table


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print the tables, write the figures."""
    args = parse_args(argv)
    import torch

    import mmseg_sparse  # noqa: F401

    torch.set_num_threads(args.threads)
    device = args.device or ('cuda' if torch.cuda.is_available() else 'cpu')
    sizes = Sizes(
        args.batch_size,
        tuple(args.size),
        args.classes,
        args.channels,
        args.radius,
        device,
    )
    names = args.cases or list(CASES)
    figures: dict[str, Any] = {
        name: compare(CASES[name](sizes), args.repeats, device == 'cuda')
        for name in names
    }
    print(f'torch {torch.__version__}, {sizes}')
    print(ratio_table(figures))
    for name in names:
        growth = grow(CASES[name], sizes, args.repeats)
        figures[name]['growth'] = growth
        print(growth_table(name, growth))
    if args.out:
        Path(args.out).write_text(json.dumps(figures, indent=1))


if __name__ == '__main__':
    main()
