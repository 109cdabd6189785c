"""Test a segmentor: compute its metrics, write label maps and pictures."""

import argparse
from collections.abc import Sequence

from _arguments import (
    add_common_arguments,
    add_config_argument,
    add_traceback_argument,
    check_checkpoint,
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
    parser.add_argument(
        'checkpoint', nargs='?', help='path or URL of the checkpoint'
    )
    parser.add_argument(
        '--checkpoint',
        dest='checkpoint_option',
        metavar='CHECKPOINT',
        help='the same as an option, as mim gives it',
    )
    parser.add_argument(
        '--work-dir', help='folder for the metrics, written as JSON'
    )
    parser.add_argument(
        '--out', help='folder for the predicted label maps, as index PNGs'
    )
    parser.add_argument(
        '--format-only',
        action='store_true',
        help='for images without masks: write the label maps to --out, with '
        "the data set's palette, and compute no metrics",
    )
    parser.add_argument(
        '--show', action='store_true', help='show the predictions'
    )
    parser.add_argument(
        '--show-dir',
        help='folder for pictures of the predictions (in its subfolder '
        "vis_data/vis_image); of every image, unless the config's "
        'visualization hook has an interval',
    )
    parser.add_argument(
        '--wait-time',
        type=float,
        default=2,
        help='seconds to show each prediction (default: %(default)s)',
    )
    parser.add_argument(
        '--tta', action='store_true', help='test-time augmentation'
    )
    add_traceback_argument(parser)
    add_common_arguments(parser)
    args = parser.parse_intermixed_args(argv)
    if (args.checkpoint is None) == (args.checkpoint_option is None):
        parser.error('give one checkpoint, as CHECKPOINT or --checkpoint')
    if args.format_only and args.out is None:
        parser.error('--format-only needs --out, the folder to write to')
    args.checkpoint = args.checkpoint or args.checkpoint_option
    args.config = find_config(args.config)
    check_checkpoint(args.checkpoint)
    check_work_dir(args.work_dir)
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Test."""
    args = parse_args(argv)
    from mmseg_sparse.engine import console, failure, launch

    console.route_warnings()
    try:
        cfg = launch.load_config(args)
        cfg.load_from = args.checkpoint
        if args.show or args.show_dir is not None:
            launch.enable_drawing(
                cfg,
                show=args.show,
                show_dir=args.show_dir,
                wait_time=args.wait_time,
            )
        if args.tta:
            launch.enable_tta(cfg)
        if args.format_only:
            launch.format_only(cfg, args.out)
        elif args.out is not None:
            launch.save_predictions(cfg, args.out)
        launch.build_runner(cfg).test()
    except Exception as error:  # of data, settings or the code
        if args.traceback:
            raise
        fail(failure.report(error))


if __name__ == '__main__':
    run_tool(main)
