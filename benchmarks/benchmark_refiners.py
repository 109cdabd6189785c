"""Compare refiners with their literal form, and how they grow.

The literal form of local aggregation makes the matrices of pixels × pixels of
BLPSeg's eq. 4 and 5 and leaves the gradient to autograd; that of
pixel-adaptive refinement, which has no gradient, gathers 48 neighbours for
each class in each iteration of AFA's eq. 10. Both forms run, forward and
backward where there is a gradient, and take turns; the time is that of the
processor, the ratio the median over pairs. Memory is the peak of what tensors
hold beyond the inputs; what differs is the largest difference of outputs and
gradients over the largest value. The second table shows how time and memory
of ours grow with pixels, classes and channels of the feature.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Sizes:
    """What the inputs of a case are made from."""

    batch: int
    size: tuple[int, int]
    classes: int
    channels: int
    device: str


@dataclass(frozen=True)
class Case:
    """A refiner and its literal form, on inputs of their own.

    Each function runs the form once, backward too where the refiner is
    trained through, and returns what must be equal.
    """

    ours: Callable[[], list[Any]]
    literal: Callable[[], list[Any]]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'cases',
        nargs='*',
        help=f'of {", ".join(CASES)} (default: all)',
    )
    parser.add_argument(
        '--batch-size', type=int, default=1, help='images (default: 1)'
    )
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        default=(96, 96),
        metavar=('HEIGHT', 'WIDTH'),
        help='of the maps (default: 96 96)',
    )
    parser.add_argument(
        '--classes', type=int, default=21, help='classes (default: 21)'
    )
    parser.add_argument(
        '--channels',
        type=int,
        default=64,
        help='of the feature (default: 64)',
    )
    parser.add_argument(
        '--repeats', type=int, default=5, help='pairs of runs (default: 5)'
    )
    parser.add_argument(
        '--threads', type=int, default=1, help='CPU threads (default: 1)'
    )
    parser.add_argument(
        '--device', help='cpu or cuda (default: cuda where there is one)'
    )
    parser.add_argument('--out', help='write the figures to this JSON file')
    args = parser.parse_args(argv)
    for name in ('batch_size', 'classes', 'channels', 'repeats', 'threads'):
        if getattr(args, name) < 1:
            option = '--' + name.replace('_', '-')
            parser.error(
                f'{option} must be at least 1, got {getattr(args, name)}'
            )
    if min(args.size) < 1:
        parser.error(f'--size must be at least 1 1, got {tuple(args.size)}')
    for name in args.cases:
        if name not in CASES:
            parser.error(f'a case must be in {tuple(CASES)}, got {name!r}')
    return args


def literal_aggregate(logits: Any, feature: Any, sigma: float) -> Any:
    """Return BLPSeg's eq. 3-5 as they stand."""
    import torch

    n, classes, height, width = logits.shape
    rows = torch.arange(height, device=logits.device)
    columns = torch.arange(width, device=logits.device)
    places = torch.cartesian_prod(rows, columns).to(logits.dtype)
    apart = (places[:, None] - places).square().sum(-1)
    near = torch.exp(-apart / (2 * sigma**2))
    flat = feature.flatten(2)
    both = (flat.transpose(1, 2) @ flat).softmax(1) * near
    matrix = both / both.sum(1, keepdim=True)
    return (logits.flatten(2) @ matrix).view(n, classes, height, width)


def local_aggregation(sizes: Sizes) -> Case:
    """Return the forms of local aggregation, forward and backward."""
    import torch

    from mmseg_sparse.functional import local_aggregate

    generator = torch.Generator().manual_seed(0)

    def noise(channels: int) -> Any:
        shape = (sizes.batch, channels, *sizes.size)
        return torch.randn(shape, generator=generator).to(sizes.device)

    logits = noise(sizes.classes).requires_grad_()
    # Scores of a pixel with itself are 16 or so, with others 0 ± 2.
    feature = noise(sizes.channels) * (16 / sizes.channels) ** 0.5
    feature.requires_grad_()
    weight = noise(sizes.classes)

    def step(aggregate: Callable) -> Callable[[], list[Any]]:
        def run() -> list[Any]:
            out = aggregate(logits, feature)
            leaves = [logits, feature]
            return [out.detach(), *torch.autograd.grad(out, leaves, weight)]

        return run

    return Case(
        ours=step(lambda x, f: local_aggregate(x, f, sigma=6.0)),
        literal=step(lambda x, f: literal_aggregate(x, f, 6.0)),
    )


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


def pixel_adaptive(sizes: Sizes) -> Case:
    """Return the forms of pixel-adaptive refinement, forward alone."""
    import torch
    import torch.nn.functional as F

    from mmseg_sparse.functional import pixel_adaptive_refine

    generator = torch.Generator().manual_seed(0)
    coarse = [-(-side // 6) for side in sizes.size]
    shades = torch.randn(sizes.batch, 3, *coarse, generator=generator)
    shades = F.interpolate(shades, sizes.size, mode='bicubic')
    grain = torch.randn(shades.shape, generator=generator)
    image = (shades + 0.1 * grain).to(sizes.device)
    shape = (sizes.batch, sizes.classes, *sizes.size)
    prob = torch.randn(shape, generator=generator).softmax(1)
    prob = prob.to(sizes.device)
    return Case(
        ours=lambda: [pixel_adaptive_refine(prob, image)],
        literal=lambda: [literal_refine(prob, image)],
    )


#: One function a refiner, which makes a :class:`Case` of :class:`Sizes`.
CASES: dict[str, Callable[[Sizes], Case]] = {
    'local_aggregate': local_aggregation,
    'pixel_adaptive_refine': pixel_adaptive,
}


def seconds(run: Callable[[], Any], cuda: bool) -> float:
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


def peak_mib(run: Callable[[], Any]) -> float:
    """Return the peak of what tensors hold."""
    from memory import TensorBytes

    with TensorBytes() as count:
        run()
    return count.peak / 2**20


def difference(case: Case) -> float:
    """Return how far the forms are apart; exit where that is too far."""
    worst = max(
        ((a - b).abs().max() / b.abs().max()).item()
        for a, b in zip(case.ours(), case.literal(), strict=True)
    )
    if not worst < 1e-4:
        raise SystemExit(f'the two forms differ by {worst:.1e}')
    return worst


def compare(case: Case, repeats: int, cuda: bool) -> dict[str, float]:
    """Let both forms take turns; return their figures and the ratios."""
    apart = difference(case)
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
        difference=apart,
    )


def grow(
    make: Callable[[Sizes], Case], base: Sizes, repeats: int
) -> dict[str, dict[str, float]]:
    """Return time and memory of ours where one size is another."""
    from dataclasses import replace

    height, width = base.size
    changes = {
        'as given': {},
        'pixels / 2': dict(size=(-(-height // 2), width)),
        'pixels / 4': dict(size=(-(-height // 2), -(-width // 2))),
        'classes x 2': dict(classes=2 * base.classes),
        'channels x 2': dict(channels=2 * base.channels),
    }
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
    """Return a table with a row for each refiner."""
    from prettytable import PrettyTable

    table = PrettyTable(
        ['', 'ours [s]', 'literal [s]', 'time', 'ours [MiB]',
         'literal [MiB]', 'memory', 'apart']
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
    """Return a table with a row for each size that was changed."""
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
        args.batch_size, tuple(args.size), args.classes, args.channels, device
    )
    names = args.cases or list(CASES)
    figures: dict[str, Any] = {
        name: compare(CASES[name](sizes), args.repeats, device == 'cuda')
        for name in names
    }
    print(
        f'{device}, torch {torch.__version__}, {sizes.batch}x{sizes.classes}x'
        f'{sizes.size[0]}x{sizes.size[1]}, {sizes.channels} channels'
    )
    print(ratio_table(figures))
    for name in names:
        growth = grow(CASES[name], sizes, args.repeats)
        figures[name]['growth'] = growth
        print(growth_table(name, growth))
    if args.out:
        Path(args.out).write_text(json.dumps(figures, indent=1))


if __name__ == '__main__':
    main()
