"""Compare DFR's local energies with their literal form, and how they grow.

The literal form unfolds the window, so that each pixel has its neighbours in
a tensor of window times classes (or channels), and leaves the gradient to
autograd. Both run forward and backward and take turns; the time is that of
the processor, the ratio the median over pairs. Memory is the peak of what
tensors hold beyond the inputs. The second table shows how the time of ours
grows with pixels, classes, radius and feature channels.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--batch-size', type=int, default=2, help='images (default: 2)'
    )
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        default=(128, 128),
        metavar=('HEIGHT', 'WIDTH'),
        help='of the maps (default: 128 128)',
    )
    parser.add_argument(
        '--classes', type=int, default=21, help='classes (default: 21)'
    )
    parser.add_argument(
        '--channels',
        type=int,
        default=128,
        help='of the feature in the second table (default: 128)',
    )
    parser.add_argument(
        '--radius', type=int, default=5, help='of the window (default: 5)'
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
    for name in ('batch_size', 'classes', 'channels', 'radius', 'repeats',
                 'threads'):  # fmt: skip
        if getattr(args, name) < 1:
            option = '--' + name.replace('_', '-')
            parser.error(
                f'{option} must be at least 1, got {getattr(args, name)}'
            )
    if min(args.size) < 1:
        parser.error(f'--size must be at least 1 1, got {tuple(args.size)}')
    return args


def unfold(maps: Any, radius: int) -> Any:
    """Return each pixel's neighbours, ``(N, C, window, H * W)``."""
    import torch.nn.functional as F

    n, channels, height, width = maps.shape
    side = 2 * radius + 1
    columns = F.unfold(maps, side, padding=radius)
    return columns.view(n, channels, side**2, height * width)


def literal_kernel(guide: Any, radius: int, sigma_xy: float) -> Any:
    """Return K of DFR's eq. 6, ``(N, window, H * W)``, 0 for no pair."""
    import torch

    steps = torch.arange(-radius, radius + 1, device=guide.device)
    square = (steps[:, None] ** 2 + steps**2).flatten()
    near = guide.flatten(2).unsqueeze(2)
    apart = (unfold(guide, radius) - near).square().sum(1)
    space = square[:, None] / sigma_xy**2
    inside = unfold(torch.ones_like(guide[:, :1]), radius)[:, 0]
    return torch.exp(-(apart + space) / 2) * inside * (square > 0)[:, None]


def literal_potts(
    prob: Any, guide: Any, *, radius: int, sigma_xy: float
) -> Any:
    """Return DFR's eq. 3-6 as they stand."""
    n, _, height, width = prob.shape
    agree = (unfold(prob, radius) * prob.flatten(2).unsqueeze(2)).sum(1)
    kernel = literal_kernel(guide, radius, sigma_xy)
    return (kernel * (1 - agree)).sum() / (n * height * width)


def literal_feature(
    feature: Any, guide: Any, labels: Any, *, radius: int, sigma_xy: float
) -> Any:
    """Return the sum of DFR's eq. 11 and 12 as they stand; 0 is background.

    All pixels are labelled.
    """
    import torch

    n, channels, height, width = feature.shape
    here = feature.flatten(2).unsqueeze(2)
    apart = (unfold(feature, radius) - here).abs().sum(1) / channels
    kernel = literal_kernel(guide, radius, sigma_xy)
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
        + (kernel * apart).sum() / (n * height * width)
    )


def make_inputs(
    batch: int, size: tuple[int, int], classes: int, channels: int, device: str
) -> dict[str, Any]:
    """Return random maps; labels come in squares of 8 pixels."""
    import torch

    generator = torch.Generator().manual_seed(0)

    def noise(depth: int) -> Any:
        return torch.randn(batch, depth, *size, generator=generator)

    prob = (noise(classes) * 2).softmax(1)
    coarse = [-(-side // 8) for side in size]
    labels = torch.randint(classes, (batch, *coarse), generator=generator)
    labels = labels.repeat_interleave(8, 1).repeat_interleave(8, 2)
    return dict(
        prob=prob.to(device).requires_grad_(),
        guide=noise(3).to(device),
        feature=noise(channels).relu().to(device).requires_grad_(),
        labels=labels[:, : size[0], : size[1]].to(device),
    )


def forms(inputs: dict[str, Any], radius: int) -> dict[str, Callable]:
    """Return functions that run each energy, forward and backward."""
    from mmseg_sparse.functional import feature_consistency, potts_energy

    prob, guide = inputs['prob'], inputs['guide']
    feature, labels = inputs['feature'], inputs['labels']
    options = dict(radius=radius, sigma_xy=6.0)

    def step(leaf: Any, energy: Callable) -> Callable[[], Any]:
        def run() -> Any:
            leaf.grad = None
            value = energy()
            value.backward()
            return value.detach()

        return run

    return {
        'potts': step(prob, lambda: potts_energy(prob, guide, **options)),
        'literal potts': step(
            prob, lambda: literal_potts(prob, guide, **options)
        ),
        'feature': step(
            feature,
            lambda: feature_consistency(
                feature, labels, guide=guide, **options
            )[0],
        ),
        'literal feature': step(
            feature, lambda: literal_feature(feature, guide, labels, **options)
        ),
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


def compare(
    ours: Callable[[], Any], literal: Callable[[], Any], args: Any
) -> dict[str, float]:
    """Let both take turns; return their figures and the ratios."""
    from memory import TensorBytes

    values = [ours().item(), literal().item()]
    if abs(values[0] - values[1]) > 1e-4 * abs(values[1]):
        raise SystemExit(f'the two forms do not agree: {values}')
    peaks = []
    for run in (ours, literal):
        with TensorBytes() as count:
            run()
        peaks.append(count.peak / 2**20)
    cuda = args.device == 'cuda'
    pairs = [
        (seconds(ours, cuda), seconds(literal, cuda))
        for _ in range(args.repeats)
    ]
    return dict(
        ours_s=statistics.median(pair[0] for pair in pairs),
        literal_s=statistics.median(pair[1] for pair in pairs),
        time_ratio=statistics.median(b / a for a, b in pairs),
        ours_mib=peaks[0],
        literal_mib=peaks[1],
        memory_ratio=peaks[1] / peaks[0],
    )


def grow(args: Any) -> dict[str, dict[str, float]]:
    """Return the times of ours where one size at a time is doubled."""
    base = dict(
        batch=args.batch_size,
        size=tuple(args.size),
        classes=args.classes,
        channels=args.channels,
        radius=args.radius,
    )
    height, width = base['size']
    changes = {
        'as given': {},
        'pixels x 2': dict(size=(2 * height, width)),
        'classes x 2': dict(classes=2 * args.classes),
        'radius x 2': dict(radius=2 * args.radius),
        'channels x 2': dict(channels=2 * args.channels),
    }
    runs = {}
    for name, change in changes.items():
        case = {**base, **change}
        radius = case.pop('radius')
        both = forms(make_inputs(**case, device=args.device), radius)
        runs[name] = (both['potts'], both['feature'])
    times: dict[str, list[list[float]]] = {name: [[], []] for name in runs}
    for _ in range(args.repeats):  # in turns, as the machine's speed drifts
        for name, pair in runs.items():
            for kept, run in zip(times[name], pair, strict=True):
                kept.append(seconds(run, args.device == 'cuda'))
    return {
        name: dict(potts_s=min(potts), feature_s=min(feature))
        for name, (potts, feature) in times.items()
    }


def ratio_table(figures: dict[str, dict[str, float]]) -> Any:
    """Return a table with a row for each energy."""
    from prettytable import PrettyTable

    table = PrettyTable(
        ['forward and backward', 'ours [s]', 'literal [s]', 'time',
         'ours [MiB]', 'literal [MiB]', 'memory']
    )  # fmt: skip
    for name, one in figures.items():
        table.add_row(
            [name]
            + [f'{one[key]:.3f}' for key in ('ours_s', 'literal_s')]
            + [f'{one["time_ratio"]:.1f}x']
            + [f'{one[key]:.1f}' for key in ('ours_mib', 'literal_mib')]
            + [f'{one["memory_ratio"]:.1f}x']
        )
    return table


def growth_table(growth: dict[str, dict[str, float]]) -> Any:
    """Return a table with a row for each size that was doubled."""
    from prettytable import PrettyTable

    table = PrettyTable(
        ['ours', 'potts_energy [s]', 'times', 'feature_consistency [s]',
         'times ']
    )  # fmt: skip
    first = growth['as given']
    for name, one in growth.items():
        row = [name]
        for key in ('potts_s', 'feature_s'):
            row += [f'{one[key]:.3f}', f'{one[key] / first[key]:.2f}']
        table.add_row(row)
    return table


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print two tables, write the figures."""
    args = parse_args(argv)
    import torch

    import mmseg_sparse  # noqa: F401

    torch.set_num_threads(args.threads)
    args.device = args.device or (
        'cuda' if torch.cuda.is_available() else 'cpu'
    )
    given = (args.batch_size, tuple(args.size), args.classes)
    runs = forms(make_inputs(*given, 1, args.device), args.radius)
    small = (1, (min(64, args.size[0]), min(64, args.size[1])), args.classes)
    wide = min(32, args.channels)
    heads = forms(make_inputs(*small, wide, args.device), args.radius)
    figures: dict[str, Any] = {
        'potts': compare(runs['potts'], runs['literal potts'], args),
        'feature': compare(heads['feature'], heads['literal feature'], args),
    }
    shapes = {
        'potts': 'potts_energy, {}x{}x{}x{}'.format(
            given[0], given[2], *given[1]
        ),
        'feature': 'feature_consistency, {}x{}x{}x{}'.format(
            small[0], wide, *small[1]
        ),
    }
    print(f'{args.device}, torch {torch.__version__}, radius {args.radius}')
    print(ratio_table({shapes[name]: one for name, one in figures.items()}))
    figures['growth'] = grow(args)
    print(growth_table(figures['growth']))
    if args.out:
        Path(args.out).write_text(json.dumps(figures, indent=1))


if __name__ == '__main__':
    main()
