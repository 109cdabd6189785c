"""Train a segmentor from a config."""

import argparse

from _arguments import (
    add_common_arguments,
    check_work_dir,
    fail,
    find_config,
)


def parse_args() -> argparse.Namespace:
    """Read the command line; the options are those of mmseg's tool."""
    parser = argparse.ArgumentParser(description=__doc__)
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
    args = parser.parse_args()
    args.config = find_config(args.config)
    check_work_dir(args.work_dir)
    return args


def main() -> None:
    """Train."""
    args = parse_args()
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
