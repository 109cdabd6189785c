"""Train a segmentor from a config."""

import argparse


def parse_args() -> argparse.Namespace:
    """Read the command line; the options are those of mmseg's tool."""
    from mmseg_sparse.engine import launch

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='path of the config')
    parser.add_argument('--work-dir', help='folder for logs and checkpoints')
    parser.add_argument(
        '--resume',
        action='store_true',
        help='go on from the last checkpoint in the work directory',
    )
    parser.add_argument(
        '--amp', action='store_true', help='train in mixed precision'
    )
    launch.add_common_arguments(parser)
    return parser.parse_args()


def main() -> None:
    """Train."""
    args = parse_args()
    from mmseg_sparse.engine import launch

    cfg = launch.load_config(args)
    if args.amp:
        launch.enable_amp(cfg)
    cfg.resume = args.resume
    launch.build_runner(cfg).train()


if __name__ == '__main__':
    main()
