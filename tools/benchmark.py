r"""Train a suite of methods and put the results into one table.

  python -m mmseg_sparse benchmark toy --processes 2

A suite is a config (configs/benchmarks/suites/) that names data sets, kinds of
labels, backbones and methods, each by the config of an ordinary training.
If the command is run again, finished trainings are skipped and interrupted
ones continue, to the same weights. A training whose settings, weights or
labels have changed is an error unless --overwrite names it.

OUT gets a folder for each training, table.md, table.csv, table.json, runs.yml,
quality.png (a metric over the share of labelled pixels) and closed.png (which
share of the gap between the baseline and dense labels each method closes).

Trainings that ran elsewhere are taken over by --import-runs DIR. DIR holds
work directories named as in OUT, <config>_seed<k>/, in each of which MMEngine
has left <timestamp>/vis_data/scalars.json and config.py; or logs alone,
<config>_seed<k>.json, as in docs/logs.
"""

import argparse
import os
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from _arguments import (
    CONFIGS,
    at_least,
    check_work_dir,
    fail,
    make_parser,
    run_tool,
)

SUITES = CONFIGS / 'benchmarks' / 'suites'


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__file__, __doc__)
    names = sorted(p.stem.removeprefix('suite_') for p in SUITES.glob('*.py'))
    parser.add_argument(
        'suite', help=f'{", ".join(names)}, or the path of a config'
    )
    parser.add_argument(
        '--out',
        type=Path,
        help='folder to make or to continue (default: '
        'work_dirs/benchmark/SUITE)',
    )
    parser.add_argument(
        '--only', nargs='+', metavar='WORD',
        help='only these methods, kinds of labels, data sets, backbones or '
        'configs',
    )  # fmt: skip
    parser.add_argument(
        '--seeds', type=int, nargs='+', metavar='K',
        help="seeds of each training (default: the suite's)",
    )  # fmt: skip
    parser.add_argument(
        '--processes', type=at_least(1), default=1, metavar='N',
        help='number of trainings at the same time (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--overwrite', nargs='+', metavar='TRAINING', default=[],
        help='first remove these trainings, named by their folders',
    )  # fmt: skip
    parser.add_argument(
        '--import-runs', type=Path, metavar='DIR',
        help='first take over the finished trainings in DIR',
    )  # fmt: skip
    parser.add_argument(
        '--list', action='store_true',
        help='print the state of each training and run nothing',
    )  # fmt: skip
    parser.add_argument(
        '--no-training', action='store_true',
        help='write the table of the finished trainings',
    )  # fmt: skip
    parser.add_argument(
        '--write-docs', action='store_true',
        help='also write docs/results.md (in a clone of the repository)',
    )  # fmt: skip
    args = parser.parse_args(argv)
    args.path = find_suite(args.suite)
    if args.out is None:
        stem = args.path.stem.removeprefix('suite_')
        args.out = Path('work_dirs/benchmark') / stem
    check_work_dir(str(args.out))
    return args


def find_suite(name: str) -> Path:
    """Return the config of a suite, by its path or its name."""
    for path in (Path(name), SUITES / f'suite_{name}.py'):
        if path.is_file():
            return path
    fail(f'suite not found: {name!r} is neither a file nor a suite '
                'that comes with mmseg_sparse')  # fmt: skip


def show(text: str) -> None:
    """Print a line with the time of day."""
    print(f'[{time.strftime("%H:%M:%S")}] {text}', flush=True)


def facts(args: argparse.Namespace) -> dict[str, str]:
    """Return what the docs say beside a table."""
    words = ['python', '-m', 'mmseg_sparse', 'benchmark', args.suite]
    for option in ('only', 'seeds'):
        if getattr(args, option):
            words += [f'--{option}', *map(str, getattr(args, option))]
    if args.import_runs:
        words += ['--import-runs', str(args.import_runs), '--no-training']
    return {'Command': f'`{shlex.join(words)}`'}


def run(args: argparse.Namespace) -> int:
    """Train and write the table; 1 if a training failed."""
    from mmseg_sparse.benchmark import report
    from mmseg_sparse.benchmark.progress import progress, shown
    from mmseg_sparse.benchmark.suite import read_suite, select
    from mmseg_sparse.benchmark.table import make_rows
    from mmseg_sparse.benchmark.trainings import Trainings
    from mmseg_sparse.utils.stages import StageError

    suite = read_suite(args.path)
    missing = suite.missing()
    if missing and not (args.no_training or args.list):
        fail(missing)
    cases = select(suite, args.only)
    trainings = Trainings(
        suite, args.out, cases, args.seeds or suite.seeds,
        without_data=args.no_training or args.list,
    )  # fmt: skip
    if args.import_runs:
        trainings.take_over(args.import_runs, show)
    if args.list:
        for name in trainings.stages.names:
            difference = trainings.stages.difference(name)
            state = trainings.stages.state(name)
            print(f'{name}: {state}{f": {difference}" if difference else ""}')
        return 0
    status = 0
    if not args.no_training:
        pause = 20 if sys.stdout.isatty() else 120
        try:
            with shown(
                lambda: progress(trainings, args.processes), show, pause
            ):
                trainings.stages.run(
                    only=trainings.stages.names,
                    overwrite=args.overwrite,
                    processes=args.processes,
                    report=show,
                )
        except StageError as error:
            print(f'{error}', file=sys.stderr)
            status = 1
    rows = make_rows(suite, trainings.results())
    if rows:
        print('\n' + report.write_report(suite, rows, args.out), flush=True)
        show(f'{args.out}: table.md, table.csv, table.json and plots')
    if rows and args.write_docs:
        root = CONFIGS.resolve().parent
        for path in report.write_docs(root, trainings, rows, facts(args)):
            show(f'{path.relative_to(root)} written')
    return status


def main(argv: Sequence[str] | None = None) -> int:
    """Run the suite."""
    args = parse_args(argv)
    # Several trainings at the same time share the cores.
    cores = os.cpu_count() or 1
    if args.processes > 1:
        threads = max(1, cores // args.processes)
        os.environ.setdefault('OMP_NUM_THREADS', str(threads))
    import mmseg_sparse  # noqa: F401  before anything of mmseg

    try:
        return run(args)
    except KeyboardInterrupt:
        raise KeyboardInterrupt('the same command goes on') from None
    except (OSError, ValueError, RuntimeError) as error:
        fail(error)


if __name__ == '__main__':
    run_tool(main)
