"""Train a segmentor from a config."""

import argparse
from collections.abc import Sequence

from _arguments import (
    add_common_arguments,
    check_work_dir,
    command,
    fail,
    find_config,
)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line; the options are those of mmseg's tool."""
    parser = argparse.ArgumentParser(
        prog=command(__file__), description=__doc__
    )
    parser.add_argument(
        'config', help='path of a config, or the name of a shipped one'
    )
    parser.add_argument('--work-dir', help='folder for logs and checkpoints')
    parser.add_argument(
        '--resume',
        action='store_true',
        help='go on from the last checkpoint in the work directory',
    )
    parser.add_argument(
        '--amp', action='store_true', help='train in mixed precision'
    )
    add_common_arguments(parser)
    args = parser.parse_args(argv)
    args.config = find_config(args.config)
    check_work_dir(args.work_dir)
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Train."""
    args = parse_args(argv)
    from mmseg_sparse.engine import launch

    try:
        cfg = launch.load_config(args)
        if args.amp:
            launch.enable_amp(cfg)
    except (FileNotFoundError, ValueError) as error:
        fail(str(error))
    cfg.resume = args.resume
    launch.warn_without_gpu()
    launch.build_runner(cfg).train()


if __name__ == '__main__':
    main()
