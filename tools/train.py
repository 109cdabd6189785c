"""Train a segmentor from a config."""

import argparse
from collections.abc import Sequence

from _arguments import (
    add_common_arguments,
    add_config_argument,
    add_traceback_argument,
    check_work_dir,
    fail,
    find_config,
    make_parser,
    run_tool,
)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line; the options are those of mmseg's tool."""
    parser = make_parser(__file__, __doc__)
    add_config_argument(parser)
    parser.add_argument('--work-dir', help='folder for logs and checkpoints')
    parser.add_argument(
        '--resume',
        action='store_true',
        help='resume from the last checkpoint in the work directory',
    )
    parser.add_argument(
        '--amp', action='store_true', help='train in mixed precision'
    )
    parser.add_argument(
        '--check',
        action=argparse.BooleanOptionalAction,
        default=None,
        help='check labels and settings before the first iteration (about a '
        'second), and stop if the training cannot succeed (default: on the '
        'first start of a run, not with --resume)',
    )
    parser.add_argument(
        '--allow-nan',
        action='store_true',
        help='continue even if the loss is NaN or infinite (default: stop '
        'after three such iterations in a row)',
    )
    add_traceback_argument(parser)
    add_common_arguments(parser)
    args = parser.parse_args(argv)
    args.config = find_config(args.config)
    check_work_dir(args.work_dir)
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Train."""
    args = parse_args(argv)
    from mmseg_sparse.engine import console, failure, launch

    console.route_warnings()
    work_dir = None
    try:
        cfg = launch.load_config(args)
        if args.amp:
            launch.enable_amp(cfg)
        cfg.resume = args.resume
        runner = launch.build_runner(cfg)
        launch.watch(runner, check=args.check, allow_nan=args.allow_nan)
        work_dir = runner.work_dir
        runner.train()
    except KeyboardInterrupt:
        failure.end_workers()
        raise
    except Exception as error:  # of data, settings, the disk or the code
        if args.traceback:
            raise
        fail(failure.report(error, work_dir))


if __name__ == '__main__':
    run_tool(main)
