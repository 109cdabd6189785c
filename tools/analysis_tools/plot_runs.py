r"""Plot a metric of several runs against a number, such as the stroke length.

Each RUN is X=LOG. X is the number in which the runs differ; LOG is the
scalars.json of a training (work_dir/*/vis_data/scalars.json), from which the
last validation is taken. Runs with the same X are drawn as separate points,
and a line joins the means:

    python -m mmseg_sparse plot_runs curve.png --metric mIoU \
        --xlabel 'scribble length, %' 0=runs/0/scalars.json \
        50=runs/50/scalars.json 100=runs/100/scalars.json
"""

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from _arguments import fail, make_parser, run_tool


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__file__, __doc__)
    parser.add_argument('out', type=Path, help='PNG file to write')
    parser.add_argument(
        'runs', nargs='+', metavar='X=LOG', help='runs to plot, see above'
    )
    parser.add_argument(
        '--metric',
        default='mIoU',
        help='name of the metric in the log (default: %(default)s)',
    )
    parser.add_argument('--xlabel', default='', help='label of the x axis')
    parser.add_argument(
        '--bound', metavar='LOG', type=Path,
        help='run to draw as a dashed line, such as one on dense masks',
    )  # fmt: skip
    parser.add_argument(
        '--overwrite', action='store_true', help='replace OUT if it exists'
    )
    return parser.parse_args(argv)


def last_value(log: Path, metric: str) -> float:
    """Return the metric's value in the last validation of a log.

    Raises:
        ValueError: If the log has a line that is no JSON object, or no
            validation with that metric.
        OSError: If the log cannot be read.
    """
    from mmseg_sparse.benchmark.logs import read_log

    metrics = read_log(log).metrics
    if metric not in metrics:
        raise ValueError(f'{log}: the last validation has no {metric!r}')
    return metrics[metric]


def read_runs(words: list[str], metric: str) -> dict[float, list[float]]:
    """Return the values of ``X=LOG`` words by X, in order of X.

    Raises:
        ValueError: If a word is none of that form, or its log is not one.
    """
    found: dict[float, list[float]] = {}
    for word in words:
        number, equals, log = word.partition('=')
        try:
            x = float(number)
        except ValueError:
            equals = ''
        if not equals or not log:
            raise ValueError(f'expected X=LOG with a number X, got {word!r}')
        found.setdefault(x, []).append(last_value(Path(log), metric))
    return dict(sorted(found.items()))


def draw(
    values: dict[float, list[float]],
    out: Path,
    *,
    metric: str,
    xlabel: str,
    bound: float | None,
) -> None:
    """Draw the curve to a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), dpi=120, layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    means = [statistics.mean(found) for found in values.values()]
    axes.plot(list(values), means, 'o-', color='C0')
    for x, found in values.items():
        if len(found) > 1:
            axes.plot([x] * len(found), found, '_', color='C0')
        axes.annotate(
            f'{statistics.mean(found):.2f}', (x, statistics.mean(found)),
            xytext=(0, 7), textcoords='offset points', ha='center',
        )  # fmt: skip
    if bound is not None:
        axes.axhline(bound, linestyle='--', color='0.4')
        axes.annotate(
            f'dense {bound:.2f}', (min(values), bound), xytext=(0, 4),
            textcoords='offset points', color='0.4',
        )  # fmt: skip
    axes.margins(y=0.15)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(f'{metric}, %')
    axes.grid(alpha=0.3)
    figure.savefig(out)


def main(argv: Sequence[str] | None = None) -> None:
    """Read the logs and draw."""
    args = parse_args(argv)
    if args.out.suffix.lower() != '.png':
        fail(f'OUT must be a .png, got {args.out}')
    if args.out.exists() and not args.overwrite:
        fail(f'{args.out} exists: give another OUT, or --overwrite')
    try:
        values = read_runs(args.runs, args.metric)
        bound = None
        if args.bound is not None:
            bound = last_value(args.bound, args.metric)
    except (ValueError, OSError) as error:
        fail(error)
    draw(
        values,
        args.out,
        metric=args.metric,
        xlabel=args.xlabel,
        bound=bound,
    )
    for x, found in values.items():
        print(f'{x:g}: {statistics.mean(found):.2f} ({len(found)} runs)')
    print(f'{args.out} written')


if __name__ == '__main__':
    run_tool(main)
